/** Texts of Home, the imports of an organization, one import, and the review of a held one. */
import { amount, city, duration, many } from './words.js';

const people = (count: number) => many(count, 'person', 'people');

export const home = {
  title: 'Home',
  result: (at: string, upToDate: number, faults: number) =>
    `${at}: ${people(upToDate)} up to date, ${faults === 0 ? 'no row needs you' : `${many(faults, 'row')} ${faults === 1 ? 'needs' : 'need'} you`}.`,
  refused: (at: string, files: number) =>
    `${at}: ${many(files, 'file')} could not be imported, and ${files === 1 ? 'needs' : 'need'} you.`,
  held: (at: string) => `${at}: an import waits for a decision; nothing of it is applied yet.`,
  running: 'An import is running now.',
  failed: (at: string) => `${at}: an import failed. Look at the import for the cause, and ask your operator.`,
  discarded: (at: string) => `${at}: an import was discarded; nothing of it was applied. Upload corrected files.`,
  none: 'No file has been imported yet.',
  next: (at: string, zone: string) => `Next import ${at} (${city(zone)}).`,
  off: 'The SFTP access is not enabled yet: ask your operator.',
  look: 'Look at the import',
  begin: 'To begin',
  beginSteps: [
    ['/help', 'Download the templates, and see how each column is read'],
    ['/check', 'Check a first file: nothing of it is applied'],
    ['/connection', 'Add the key of your HR system, and set up its upload'],
    ['/notifications', 'Choose who gets mail about imports'],
  ] as const,
  review: 'Review it',
  waiting: 'Files that wait for the next import',
  none2: 'None: upload a file by SFTP, and it waits here.',
  file: 'File',
  size: 'Size',
  arrived: 'Arrived',
  note: 'Remark',
  alarms: 'Please look at this',
  recent: 'Last imports',
};

export const imports = {
  title: 'Imports',
  lead: 'Each import of the last months, the newest first.',
  empty: 'There is no import yet.',
  begun: 'Begun',
  kind: 'Kind',
  state: 'State',
  users: 'People',
  teams: 'Teams',
  problems: 'Problems',
  none: 'none',
  kinds: {
    slot: 'Daily import',
    manual: 'Started by hand',
    upload: 'On upload',
    undo: 'Undo of another import',
    edit: 'Change by a person',
  },
  states: {
    open: ['info', 'begins soon'],
    running: ['info', 'running'],
    done: ['good', 'imported'],
    failed: ['bad', 'failed, will be tried again'],
    held: ['wait', 'waits for a decision'],
    rejected: ['', 'discarded'],
    superseded: ['', 'replaced by newer files'],
  } as const,
  faults: (count: number) => `${many(count, 'row')} rejected`,
  warnings: (count: number) => many(count, 'warning'),
  refused: (count: number) => `${many(count, 'file')} refused`,
};

export const run = {
  title: (id: number) => `Import ${id}`,
  progress: 'Progress',
  refresh:
    'This page shows the progress until the import has ended; without JavaScript it loads itself again every few seconds.',
  rows: (count: number) => many(count, 'row'),
  filesOf: (first: number, last: number, total: number) =>
    `Files ${amount(first)} to ${amount(last)} of ${amount(total)}`,
  refusedTitle: 'This file was refused: nothing of it was applied.',
  line: (line: number) => `Line ${amount(line)}`,
  noProblems: 'No problems: every row was read as it is.',
  problems: 'Problems',
  kinds: 'Problems by kind',
  kind: 'Problem, and what to do',
  count: 'Rows',
  severity: 'Effect',
  severities: {
    refusal: ['bad', 'file refused'],
    hold: ['wait', 'import held'],
    fault: ['bad', 'row rejected'],
    warning: ['wait', 'cell ignored'],
    notice: ['info', 'notice'],
  } as const,
  all: 'All problems',
  allOf: (count: number) => `Show all ${many(count, 'problem')}`,
  only: 'Only this kind',
  showing: (code: string) => `Only problems of the kind ${code}`,
  rowCells: 'The row as it was sent',
  blank: 'empty',
  unreadable: 'The details of this file can be read in its report.',
  mend: 'Download the rows to mend',
  mendText: 'Mend these rows in Excel or an editor, and upload the file again: each row has its problem beside it.',
  report: 'Download the report',
  original: 'Download the file as it was sent',
  changes: 'Changes',
  showChanges: 'Show the changes',
  back: 'Back to the import',
  noChanges: 'This import changed nothing.',
  changesOf: (shown: number, total: number) =>
    shown === total ? many(total, 'change') : `${amount(shown)} of ${many(total, 'change')}, the most severe first`,
  changesFrom: (first: number, last: number, total: number) =>
    `${amount(first)} to ${amount(last)} of ${many(total, 'change')}, the most severe first`,
  allChanges: 'Show all changes',
  who: 'Who',
  field: 'Column',
  before: 'Before',
  after: 'After',
  source: 'Line',
  created: 'created',
  note: 'Comment',
  failure: 'The import failed',
  print: 'Print this page with the browser for your records: navigation and buttons are left out.',
  undone: (id: number) => `It undoes import ${id}.`,
  undo: 'Undo this import',
  review: 'Review and decide',
};

export const review = {
  title: (id: number) => `Review import ${id}`,
  lead: 'This import would change more than your limits allow without a decision. Nothing of it is applied yet.',
  why: 'Why it waits',
  until: 'Until when',
  untilText:
    'It waits until a decision, and later files wait behind it. A newer file with the same name replaces it, and is counted anew.',
  since: (at: string) => `It has waited since ${at}.`,
  changes: 'What it would change',
  unlisted: 'The list of changes can no longer be read: download it, or ask your operator.',
  decide: 'Decide',
  note: 'Comment',
  noteHint: 'For the audit trail, and for the sender of the files.',
  approve: (count: number) => `Approve these ${many(count, 'change')}`,
  approveAll: 'Approve these changes',
  approveText: 'Exactly the changes that were counted are applied. If they have changed since, the import waits again.',
  discard: 'Discard',
  discardText: 'To discard applies nothing: the files move to the archive as refused; upload corrected files.',
  over: 'This import no longer waits for a decision.',
  viewer: 'An admin of your organization, or your operator, decides.',
  unknownSender: (paths: readonly string[]) =>
    `Two people are asked for, and Dropslot does not know the person who sent ${paths.join(', ')}: their key was added on the server. Approve only if you did not send it.`,
};

export const undo = {
  title: (id: number) => `Undo import ${id}`,
  lead: 'An undo gives each value back that the import changed, if it was not changed since. It removes no person, team or column.',
  back: (shown: number, total: number) =>
    shown === total
      ? `Values that it restores (${amount(total)})`
      : `The first ${amount(shown)} of ${many(total, 'value')} that it restores`,
  kept: (shown: number, total: number) =>
    shown === total
      ? `Values that stay as they are (${amount(total)})`
      : `The first ${amount(shown)} of ${many(total, 'value')} that stay as they are`,
  nothingBack: 'It would restore nothing.',
  nothingKept: 'None.',
  who: 'Who',
  field: 'Column',
  now: 'Now',
  restored: 'Restored to',
  created: 'created',
  why: 'Reason',
  submit: (values: number) => `Undo: restore ${many(values, 'value')}`,
  submitText: 'The undo is an import of its own. It is planned again when it begins, and it can be undone, too.',
  busy: 'Another undo is planned now: try it again in some seconds.',
  cancel: 'Back to the import',
};

export const live = {
  busy: 'too many pages are followed at once: this page is loaded again in some seconds',
  begins: 'begins soon',
  phases: {
    waiting: 'waits',
    reading: 'reads',
    staging: 'reads',
    planning: 'plans the changes',
    applying: 'applies the changes',
    reporting: 'writes the reports',
    archiving: 'moves the files to the archive',
  },
  rows: (rows: number, total: number | null) =>
    total === null || total < rows ? many(rows, 'row') : `${amount(rows)} of ${many(total, 'row')}`,
  rate: (rows: number) => `${many(rows, 'row')} a second`,
  left: (ms: number) => (ms < 60_000 ? 'less than a minute of reading left' : `about ${duration(ms)} of reading left`),
  elapsed: (ms: number) => `for ${ms < 60_000 ? many(Math.round(ms / 1000), 'second') : duration(ms)}`,
};
