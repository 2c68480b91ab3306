/** Words each event for a mail: its heading, sentences, and the command or the person who can help. Counts only, no personal data. */
import { DateTime } from 'luxon';
import type { Envelope } from '../envelope.js';

export interface Section {
  /** Also the subject of a mail with this event alone. */
  heading: string;
  /** Whether somebody must do something. */
  needsAction: boolean;
  paragraphs: string[];
  /** The most frequent problems. */
  list?: string[];
  /** A line to copy, for operators. */
  command?: string;
}

/** What a section may say beside the event. */
export interface SectionContext {
  timeZone: string;
  /** The mail is for operators, who have the command line. */
  isOperator: boolean;
  /** Whom the organization's people ask; null: nobody is named. */
  contact: string | null;
  /** The most frequent problems of a run, in sentences without values of the file. */
  problemsOf(run: number): Promise<string[]>;
  /** A sentence for the code of a refusal. */
  explainCode(code: string): string | null;
}

// biome-ignore lint/suspicious/noExplicitAny: as the schema of its type says
type Data = any;
type Word = (data: Data, context: SectionContext) => Section | Promise<Section>;

/** null: no mail tells of the type. */
export async function wordEvent(event: Envelope, context: SectionContext): Promise<Section | null> {
  const word = words[event.type];
  return word === undefined ? null : word(event.data as Data, context);
}

/** The commands of each kind of subscriber; `webhooks` for any other. */
const groups: Record<string, string> = { command: 'hooks', mail: 'notify', export: 'exports' };

const words: Record<string, Word> = {
  'run.completed': (data, context) => ({
    heading: `The import of ${count(data.files, 'file')} is done`,
    needsAction: false,
    paragraphs: [describeCounts(data)],
    ...show(context, data.run),
  }),
  'run.completed_with_problems': async (data, context) => ({
    heading: `The import is done; ${count(faultsOf(data), 'row')} could not be imported`,
    needsAction: true,
    paragraphs: [
      describeCounts(data),
      'The folder /reports has the report of each file: the line, the column and the reason of every problem, and a file with the rejected rows to correct and send again.',
    ],
    list: await context.problemsOf(data.run),
    ...show(context, data.run),
  }),
  'run.failed': (data, context) => ({
    heading: 'An import failed',
    needsAction: true,
    paragraphs: [
      'Nothing of it was imported. Its files are in the queue again, and the next import takes them.',
      context.isOperator ? String(data.failure) : askContact(context, 'if the next import does not arrive either'),
    ],
    ...show(context, data.run),
  }),
  'run.held': (data, context) => ({
    heading: 'An import waits for a decision',
    needsAction: true,
    paragraphs: [
      'It would change more than the limits of your organization allow without a confirmation, so nothing was imported.',
      `The folder /reports has the reason and the list of changes (run-${data.run}.held.txt, run-${data.run}.changes.csv). If the file is wrong, send a corrected one: it replaces the held one.`,
      context.isOperator
        ? 'Look at the changes, then approve or reject the run:'
        : askContact(context, 'to approve or reject it'),
    ],
    ...(context.isOperator && {
      command: `dropslot runs show ${data.run} --changes\ndropslot runs approve ${data.run}\ndropslot runs reject ${data.run}`,
    }),
  }),
  'run.approved': (data) => ({
    heading: `The held import ${data.run} was approved`,
    needsAction: false,
    paragraphs: ['It is being imported now.'],
  }),
  'run.rejected': (data) => ({
    heading: `The held import ${data.run} was rejected`,
    needsAction: false,
    paragraphs: ['Its rejected files are in the archive, and nothing of them was imported.'],
  }),
  'file.refused': (data, context) => ({
    heading: 'A file was refused, and nothing of it was imported',
    needsAction: true,
    paragraphs: [
      ...[data.code === null ? null : context.explainCode(data.code)].filter((text) => text !== null),
      'The report in the folder /reports says what to do. Correct the file, and send it again.',
    ],
    ...show(context, data.run),
  }),
  'check.would_refuse': (data) => ({
    heading: 'A file will be refused at its import',
    needsAction: true,
    paragraphs: [
      data.dryRun === true
        ? 'It was a trial (folder /dry-run): nothing was to be imported.'
        : 'It is in the queue. Send a corrected file under the same name before the import: it replaces this one.',
      'The report of the check in the folder /reports says why.',
    ],
  }),
  'file.quarantined': (_data, context) => ({
    heading: 'A file could not be read and was set aside',
    needsAction: true,
    paragraphs: [
      'Reading it took too much time or memory. Other files are imported as usual. Split the file into smaller ones.',
      context.isOperator ? 'The log has the details.' : askContact(context, 'if the file is not unusually large'),
    ],
  }),
  'alarm.opened': (data, context) => alarm(data, context),
  'alarm.resolved': (data) => ({
    heading: `The ${data.files} file is in order again`,
    needsAction: false,
    paragraphs: [`The alarm about the ${data.files} file has ended.`],
  }),
  'key.expiring': (data, { timeZone, ...context }) => ({
    heading: `A login key expires in ${count(data.days, 'day')}`,
    needsAction: true,
    paragraphs: [
      `The key ${data.label === '' ? '' : `"${data.label}" `}(${data.key}) expires on ${formatTime(data.expiresAt, timeZone)}. After that, uploads with it are refused.`,
      context.isOperator
        ? 'Add its successor in time:'
        : 'Make a new key, and send its public part to the operator in time.',
    ],
    ...(context.isOperator && { command: `dropslot keys rotate ORG ${String(data.key).slice(0, 15)} FILE` }),
  }),
  'quota.near': (data) => ({
    heading: 'The storage is nearly full',
    needsAction: true,
    paragraphs: [
      `${formatBytes(data.bytes)} of ${formatBytes(data.maxBytes)} and ${data.files} of ${data.maxFiles} files are used. At the limit new files are refused.`,
    ],
  }),
  'disk.low': (data) => ({
    heading: 'The disk of the server is nearly full',
    needsAction: true,
    paragraphs: [
      `${formatBytes(data.freeBytes)} are free. Below ${formatBytes(data.minFreeBytes)} the server refuses uploads and begins no import.`,
    ],
  }),
  'backup.overdue': (data) => ({
    heading: `No backup was made for ${count(data.days, 'day')}`,
    needsAction: true,
    paragraphs: ['Make a backup, and find out why the schedule did not.'],
    command: 'dropslot backup DIR',
  }),
  'doctor.wrong': (data) => ({
    heading: `The doctor found ${count(data.wrong, 'problem')}`,
    needsAction: true,
    paragraphs: [`Checks with problems: ${(data.checks as string[]).join(', ')}.`],
    command: 'dropslot doctor',
  }),
  'webhook.disabled': (data) => ({
    heading: `The ${data.kind} ${data.subscriber} was disabled`,
    needsAction: true,
    paragraphs: [
      `Its deliveries failed ${data.failures} times, the last time with: ${data.reason}. Its events are kept as long as the setting eventDays says.`,
    ],
    command: `dropslot ${groups[String(data.kind)] ?? 'webhooks'} enable ${data.subscriber}`,
  }),
  'webhook.test': () => ({
    heading: 'A test mail',
    needsAction: false,
    paragraphs: ['Mail from Dropslot reaches you.'],
  }),
  'report.weekly': (data, { timeZone }) => ({
    heading: 'The week in numbers',
    needsAction: false,
    paragraphs: [
      `${count(data.runs, 'import')} since ${formatTime(data.since, timeZone)}: ${data.created} people created, ${data.updated} updated, ${data.deactivated} deactivated. ${count(data.faults, 'row')} could not be imported, ${count(data.refused, 'file')} refused.`,
      data.alarms === 0 ? 'No alarm is open.' : `${count(data.alarms, 'alarm')} open: a file is missing or unusual.`,
    ],
  }),
  'audit.head': (data) => ({
    heading: 'The head of the audit trail',
    needsAction: false,
    paragraphs: [
      `${data.count} records, the last one with the hash ${data.hash}. Keep this mail: with it, "dropslot audit verify" finds records that were removed from the end.`,
    ],
    command: `dropslot audit verify --expect ${data.hash}@${data.count}`,
  }),
};

/** Files can't be taken from the organization's SFTP server, or from a folder that it writes to. */
function doorAlarm({ kind, source, folder }: Data, context: SectionContext): Section {
  const place = source === undefined ? `the folder ${folder}` : `the SFTP server of source ${source}`;
  const sentence =
    kind === 'host_key_changed'
      ? 'The server shows another host key than before, so that nothing is fetched from it. Was its host key changed? The operator must confirm the new key.'
      : `Check whether ${source === undefined ? 'the folder is there and can be read' : 'the server can be reached, and whether the user name and the key or password are still valid'}.`;
  const command = source === undefined ? `dropslot folders show ${folder}` : `dropslot sources show ${source}`;
  const help = context.isOperator || context.contact === null ? [] : [askContact(context, 'for details')];
  return {
    heading: `No files can be taken from ${place}`,
    needsAction: true,
    paragraphs: [sentence, ...help],
    ...(context.isOperator && { command }),
  };
}

function alarm(data: Data, context: SectionContext): Section {
  if (data.files === undefined) return doorAlarm(data, context);
  const { timeZone, contact } = context;
  const files = `${data.files} file`;
  const sentences: Record<string, [heading: string, sentence: string]> = {
    missing: [
      `No ${files} came`,
      `A ${files} was expected${data.deadline === undefined ? '' : ` by ${formatTime(data.deadline, timeZone)}`}. Check whether the export of your HR system ran, and whether its upload worked.`,
    ],
    shrunk: [
      `The ${files} is much smaller than usual`,
      'Check whether the export of your HR system is complete before the import takes the file.',
    ],
    unchanged: [
      `The ${files} has not changed for a long time`,
      'Check whether the export of your HR system still runs.',
    ],
  };
  const [heading, sentence] = sentences[String(data.kind)] ?? [`The ${files} is unusual`, 'Check the export.'];
  const help = context.isOperator || contact === null ? [] : [askContact(context, 'if the server may be the reason')];
  return { heading, needsAction: true, paragraphs: [sentence, ...help] };
}

function show({ isOperator }: SectionContext, run: number): Pick<Section, 'command'> {
  return isOperator ? { command: `dropslot runs show ${run}` } : {};
}

function describeCounts({ users, teams }: Data): string {
  const one = (counts: Record<string, number>) =>
    `${counts.created ?? 0} created, ${counts.updated ?? 0} updated, ${counts.unchanged ?? 0} unchanged`;
  const { deactivated = 0, scheduled = 0 } = users as Record<string, number>;
  return `People: ${one(users)}, ${deactivated} deactivated, ${scheduled} to be deactivated later. Teams: ${one(teams)}.`;
}

function faultsOf({ users, teams }: Data): number {
  return ((users as Record<string, number>).faults ?? 0) + ((teams as Record<string, number>).faults ?? 0);
}

function askContact({ contact }: SectionContext, when: string): string {
  return contact === null ? `Ask your operator ${when}.` : `Ask ${contact} ${when}.`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function formatTime(ms: number, timeZone: string): string {
  return DateTime.fromMillis(ms, { zone: timeZone }).setLocale('en-GB').toFormat('cccc d LLLL yyyy, HH:mm ZZZZ');
}

function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
