/** Words each event for a mail: its heading, sentences, and the command or the person who can help. Counts only, no personal data. */
import { embeddedKindName } from '../embedded/handlers.js';
import type { Envelope } from '../envelope.js';
import { alarmOpened, alarmResolved } from './alarms.js';
import type { Data, Section, SectionContext, Wording, Words } from './section.js';
import { askContact, count, formatBytes, formatTime } from './wording.js';

/** null: no mail tells of the type. */
export async function wordEvent(event: Envelope, context: SectionContext): Promise<Section | null> {
  const wording = wordings[event.type];
  if (wording === undefined) return null;
  return { ...(await wording.word(event.data as Data, context, event)), needsAction: wording.needsAction };
}

/** Whether a mail about such an event asks its reader to act; null: no mail tells of the type. */
export function needsAction(type: string): boolean | null {
  return wordings[type]?.needsAction ?? null;
}

/** The noun and the commands of each kind of subscriber; those of webhooks for any other. */
const subscribers: Record<string, { noun: string; group: string }> = {
  webhook: { noun: 'webhook', group: 'webhooks' },
  command: { noun: 'hook', group: 'hooks' },
  mail: { noun: 'mail address', group: 'notify' },
  export: { noun: 'export', group: 'exports' },
  [embeddedKindName]: { noun: 'handler', group: 'handlers' },
};

/** The reader must act. */
const action = (word: Wording['word']): Wording => ({ needsAction: true, word });
const notice = (word: Wording['word']): Wording => ({ needsAction: false, word });

const wordings: Record<string, Wording> = {
  'run.completed': notice((data, context) => ({
    heading: `The import of ${count(data.files, 'file')} is done`,
    paragraphs: [describeCounts(data)],
    ...show(context, data.run),
  })),
  'run.completed_with_problems': action(async (data, context) => ({
    heading: `The import is done; ${describeProblems(data)}`,
    paragraphs: [
      describeCounts(data),
      'The folder /reports has the report of each file: the line, the column and the reason of every problem, and a file with the rejected rows to correct and send again.',
    ],
    list: await context.problemsOf(data.run),
    ...show(context, data.run),
  })),
  'run.failed': action((data, context) => ({
    heading: 'An import failed',
    paragraphs: [
      'Nothing of it was imported. Its files are in the queue again, and the next import takes them.',
      context.isOperator ? String(data.failure) : askContact(context, 'if the next import fails too'),
    ],
    ...show(context, data.run),
  })),
  'run.held': action((data, context) => ({
    heading: 'An import waits for a decision',
    paragraphs: [
      'Nothing of it was imported yet. An import waits when it would change more than the limits of your organization allow without a confirmation, or when the operator wants to confirm it.',
      `The folder /reports has the reason and the list of changes (run-${data.run}.held.txt, run-${data.run}.changes.csv). If the file is wrong, send a corrected one: it replaces the held one.`,
      context.isOperator
        ? 'Look at the changes, then approve or reject the run:'
        : askContact(context, 'to approve or reject it'),
    ],
    ...(context.isOperator && {
      command: `dropslot runs show ${data.run} --changes\ndropslot runs approve ${data.run}\ndropslot runs reject ${data.run}`,
    }),
  })),
  'run.approved': notice((data) => ({
    heading: `The held import ${data.run} was approved`,
    paragraphs: ['The server imports it now.'],
  })),
  'run.rejected': notice((data) => ({
    heading: `The held import ${data.run} was rejected`,
    paragraphs: ['Its rejected files are in the folder /archive, and nothing of them was imported.'],
  })),
  'file.refused': action(async (data, context) => ({
    heading: `${await nameFile(data, context)} was refused, and nothing of it was imported`,
    paragraphs: [
      ...[data.code === null ? null : context.explainCode(data.code)].filter((text) => text !== null),
      'The report in the folder /reports says what to do. Correct the file, and send it again.',
    ],
    ...show(context, data.run),
  })),
  'check.would_refuse': action(async (data, context) => {
    const file = await nameFile(data, context);
    return data.dryRun === true
      ? {
          heading: `${file} would be refused, as a dry run found`,
          paragraphs: [
            'The file is in the folder /dry-run, from which nothing is imported. Correct it before you upload it for the import.',
            'The report of the dry run in the folder /reports has the reason.',
          ],
        }
      : {
          heading: `${file} will be refused by the next import`,
          paragraphs: [
            `The file is in the queue. Upload a corrected file under the same name before the import${byWhen(context)}: it replaces this one.`,
            'The report of the check in the folder /reports has the reason.',
          ],
        };
  }),
  'file.quarantined': action(async (data, context) => ({
    heading: `${await nameFile(data, context)} could not be read, and no import takes it`,
    paragraphs: [
      'Reading it took too much time or memory. Other files are imported as usual. Split the file into smaller ones.',
      context.isOperator ? 'The log has the details.' : askContact(context, 'if the file is not unusually large'),
    ],
  })),
  'alarm.opened': alarmOpened,
  'alarm.resolved': alarmResolved,
  'key.expiring': action(wordExpiring),
  'quota.near': action((data) => ({
    heading: 'The storage is nearly full',
    paragraphs: [
      `${formatBytes(data.bytes)} of ${formatBytes(data.maxBytes)} and ${data.files} of ${data.maxFiles} files are used. At the limit new files are refused.`,
    ],
  })),
  'disk.low': action((data) => ({
    heading: 'The disk of the server is nearly full',
    paragraphs: [
      `${formatBytes(data.freeBytes)} are free${onHost(data)}. Below ${formatBytes(data.minFreeBytes)} the server refuses uploads and begins no import.`,
    ],
  })),
  'backup.failed': action((data) => ({
    heading: 'A scheduled backup failed',
    paragraphs: [
      `The reason: ${data.reason}${/[.?!]$/.test(data.reason) ? '' : '.'}`,
      'The server tries it again every 15 minutes.',
    ],
    command: 'dropslot status',
  })),
  'backup.overdue': action((data, { timeZone }) => ({
    heading:
      data.days > 0
        ? `No backup was made for ${count(data.days, 'day')}`
        : `No backup was made since ${formatTime(data.since, timeZone)}`,
    paragraphs: [
      'Make a backup. If backups are scheduled (the setting backupTo), "dropslot status" shows why none was made.',
    ],
    command: 'dropslot backup DIR',
  })),
  'doctor.wrong': action((data) => ({
    heading: `The doctor found ${count(data.wrong, 'problem')}`,
    paragraphs: [`Checks with problems${onHost(data)}: ${(data.checks as string[]).join(', ')}.`],
    command: 'dropslot doctor',
  })),
  'webhook.disabled': action(wordDisabled),
  'webhook.test': notice(() => ({
    heading: 'A test mail',
    paragraphs: ['Mail from Dropslot reaches you.'],
  })),
  'report.weekly': notice((data, { timeZone }) => ({
    heading: 'The week in numbers',
    paragraphs: [
      `${count(data.runs, 'import')} since ${formatTime(data.since, timeZone)}: ${data.created} users created, ${data.updated} updated, ${data.deactivated} deactivated. ${count(data.faults, 'row')} could not be imported, ${count(data.refused, 'file')} refused.`,
      data.alarms === 0
        ? 'No alarm is open.'
        : `${count(data.alarms, 'alarm')} open: a file is missing or unusual, or files can't be taken from a source or a watched folder.`,
    ],
  })),
  'audit.head': notice((data) => ({
    heading: 'The head of the audit trail',
    paragraphs: [
      `${data.count} records, the last one with the hash ${data.hash}. Keep this mail: with it, "dropslot audit verify" finds records that were removed from the end.`,
    ],
    command: `dropslot audit verify --expect ${data.hash}@${data.count}`,
  })),
};

/** The id of a password begins with its kind; keys and authorities have a fingerprint. */
function wordExpiring(data: Data, { timeZone, isOperator, contact }: SectionContext, { org }: Envelope): Words {
  const isPassword = String(data.key).startsWith('password:');
  const noun = isPassword ? 'password' : 'login key';
  const successor = isPassword ? 'to make a new password in time' : 'to add its public part in time';
  const command = isPassword
    ? `dropslot keys password ${org} --generate`
    : `dropslot keys rotate ${org} FILE --replaces ${data.key}`;
  return {
    heading: `A ${noun} expires in ${count(data.days, 'day')}`,
    paragraphs: [
      `The ${noun} ${data.label === '' ? '' : `"${data.label}" `}(${data.key}) expires on ${formatTime(data.expiresAt, timeZone)}. After that, logins with it are refused.`,
      isOperator
        ? `Add its successor in time${isPassword ? '' : ' (FILE has the new public key)'}:`
        : `${isPassword ? '' : 'Make a new key pair. '}${askContact({ contact }, successor)}`,
    ],
    ...(isOperator && { command }),
  };
}

function wordDisabled(data: Data, _context: SectionContext, { org }: Envelope): Words {
  const { noun, group } = subscribers[String(data.kind)] ?? subscribers.webhook!;
  const isOperatorMail = data.kind === 'mail' && org === null;
  const of = data.kind === 'mail' ? `${org} ${data.subscriber}` : data.subscriber;
  return {
    heading: `The ${noun} ${data.subscriber} was disabled`,
    paragraphs: [
      `Its deliveries failed ${data.failures === 1 ? 'once' : `${data.failures} times`}, the last time with: ${data.reason}. Its events are kept as long as the setting eventDays says.`,
      isOperatorMail
        ? 'It is an address of the setting operatorMail: once the cause is removed, restart the server, which enables it again.'
        : 'Remove the cause, then enable it again:',
    ],
    ...(!isOperatorMail && { command: `dropslot ${group} enable ${of}` }),
  };
}

/** At the beginning of a heading. */
async function nameFile({ upload }: Data, { nameOf }: SectionContext): Promise<string> {
  const name = await nameOf(upload ?? null);
  return name === null ? 'A file' : `The file ${name}`;
}

/** Events of earlier versions name no machine. */
function onHost({ host }: Data): string {
  return host === undefined ? '' : ` on ${host}`;
}

function byWhen({ nextImport, timeZone }: SectionContext): string {
  return nextImport === null ? '' : ` (${formatTime(nextImport, timeZone)})`;
}

function show({ isOperator }: SectionContext, run: number): Pick<Words, 'command'> {
  return isOperator ? { command: `dropslot runs show ${run}` } : {};
}

function describeCounts({ users, teams }: Data): string {
  const one = ({ created = 0, stubs = 0, updated = 0, unchanged = 0 }: Record<string, number>) => {
    const named = stubs === 0 ? '' : `, ${stubs} created because others name them`;
    return `${created} created${named}, ${updated} updated, ${unchanged} unchanged`;
  };
  const { deactivated = 0, scheduled = 0 } = users as Record<string, number>;
  return `Users: ${one(users)}, ${deactivated} deactivated, ${scheduled} to be deactivated later. Teams: ${one(teams)}.`;
}

/** The first of them that there are: rows, then files, then cells. */
function describeProblems({ users, teams, refused = 0 }: Data): string {
  const sum = (key: string) =>
    ((users as Record<string, number>)[key] ?? 0) + ((teams as Record<string, number>)[key] ?? 0);
  if (sum('faults') > 0) return `${count(sum('faults'), 'row')} could not be imported`;
  if (refused > 0) return `${count(refused, 'file')} refused`;
  return `${count(sum('warnings'), 'warning')}`;
}
