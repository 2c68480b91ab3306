/** Renders `/README.txt`: whose drop this is, when its files are imported, what to put where, and whom to ask. */
import { DateTime } from 'luxon';
import type { Org } from '../../db/control/orgs.js';
import { oneLine, quote } from '../outside.js';
import { filesBeforeOmission } from '../plan/omission.js';
import { teamLabels, userLabels } from '../read/labels.js';
import { describeDays, isOnUpload, slotDays } from '../schedule/cadence.js';
import { wrapLine } from './wrap.js';

export interface ReadmeFacts {
  org: Pick<Org, 'id' | 'name' | 'enabled' | 'slot' | 'timeZone' | 'options'>;
  /** Milliseconds since 1970. */
  nextSlotAt: number;
  /** null: no contact is set. */
  contact: string | null;
}

/** The folders of an organization, for its people. */
export const folderRows: readonly [string, string][] = [
  ['/', 'Your files, here or in a folder of your own.'],
  ['/dry-run', 'A file to try first: nothing of it is imported, and the report says what an import would do.'],
  ['/templates', 'Empty files with the right column names, and an example.'],
  ['/reports', 'The reports, in one folder for each day.'],
  ['/exports', 'Users and teams as CSV, where the operator has set up exports.'],
  ['/archive', 'The files that were imported or refused.'],
];

/** Lines of at most 80 columns, but for a longer word. */
export function renderReadme({ org, nextSlotAt, contact }: ReadmeFacts): string {
  const name = oneLine(org.name);
  const head = name.toLowerCase() === org.id ? name : `${name} (${org.id})`;
  return `${[
    ...wrap(`The file drop of ${head}`),
    '',
    ...wrap(
      'Put files with your users and teams here. Dropslot imports them: it creates and updates users and teams, and writes a report for you.',
    ),
    '',
    'WHEN',
    ...describeTimes(org, nextSlotAt).flatMap((text) => wrap(text)),
    '',
    'WHAT TO PUT WHERE',
    ...renderTable(folderRows),
    '',
    ...describeFiles(org).flatMap((text) => wrap(`- ${text}`, 2)),
    '',
    'YOUR FIRST FILE',
    ...wrap('1. Fill in a copy of /templates/users.csv.', 3),
    ...wrap('2. Put it into /dry-run, and read its report in /reports after about a minute.', 3),
    ...wrap('3. If the report is right, put the file here.', 3),
    '',
    'REPORTS',
    ...wrap('For a file users.csv they are, in the folder of the day:'),
    ...renderTable(reportNames(org)),
    '',
    'WHOM TO ASK',
    ...wrap(contact === null ? 'Ask the people who gave you access to this drop.' : oneLine(contact)),
  ].join('\n')}\n`;
}

/** When files are imported, in sentences. */
export function describeTimes({ enabled, slot, timeZone, options }: ReadmeFacts['org'], nextSlotAt: number): string[] {
  if (!enabled) return ['Imports are switched off at present. Files stay where you put them.'];
  const days = describeDays(slotDays(options));
  const times = slot.split(',');
  const at = times.length === 1 ? times[0] : `${times.slice(0, -1).join(', ')} and ${times.at(-1)}`;
  const next = DateTime.fromMillis(nextSlotAt, { zone: timeZone, locale: 'en-GB' }).toFormat(
    "cccc, d MMMM yyyy 'at' HH:mm",
  );
  const slots = `${days.replace(/^./, (first) => first.toUpperCase())} at ${at}, time zone ${timeZone}.`;
  if (isOnUpload(options))
    return [
      'A file is imported as soon as it has been uploaded. Files that could not be imported then are imported at:',
      slots,
      `The next time is ${next}.`,
    ];
  return [slots, `The next import is on ${next}.`];
}

/** Rules for files, in sentences. */
export function describeFiles({ options }: ReadmeFacts['org']): string[] {
  const { identifier, importPatterns = [] } = options;
  const patterns = importPatterns.map(oneLine).join(', ');
  const more = patterns === '' ? '' : `, or matches ${patterns}`;
  return [
    `A file is imported if its name ends in .csv, .tsv or .txt${more}. Other files are stored, and named in not-imported.txt in /reports.`,
    `A users file has the column "${userLabels.email}"; a teams file has the column "${teamLabels.name}". The first line has the column names. Save it as "CSV UTF-8".`,
    ...describeAbsence(filesBeforeOmission({ options })),
    'To deactivate a user, write the day into "Deactivation Date".',
    ...(identifier === undefined
      ? []
      : [
          `The column ${quote(oneLine(identifier))} identifies a user, even if the email changes: put it into every file.`,
        ]),
    'A file may be packed as .gz, or as .zip with nothing else in it.',
    options.requireEncryption === true
      ? 'Encrypt each file with PGP for the key /templates/pgp-public-key.asc. Other files are refused.'
      : 'A file may be encrypted with PGP (.pgp, .gpg, .asc) if there is a key /templates/pgp-public-key.asc.',
    ...(options.requireSignature === undefined
      ? []
      : [`Sign each file with your PGP key ${options.requireSignature.join(' or ')}. Other files are refused.`]),
    'A newer file with the same name takes the place of one that still waits for its import.',
  ];
}

/** What the absence from files means: nothing, unless the organization chose otherwise (rule U3a). */
function describeAbsence(files: number | null): string[] {
  if (files === null) return ['A user who is missing from a file is not removed, and a blank cell changes nothing.'];
  const after = files === 1 ? 'one full file' : `${files} full files in a row`;
  return [
    `A user who is missing from ${after} is deactivated. Full files are those in the folder /full, or named like users.full.csv. A user who is missing from any other file is not removed.`,
    'A blank cell changes nothing.',
  ];
}

function reportNames({ options }: ReadmeFacts['org']): [string, string][] {
  const early = options.earlyCheck !== false && !isOnUpload(options);
  return [
    ['users.dry-run.txt', 'what an import of a file in /dry-run would do'],
    ...(early ? ([['users.check.txt', 'what the next import will do, written soon after the upload']] as const) : []),
    ['run-12.summary.txt', 'what an import did; 12 is its number'],
    ['users.report.csv', 'errors and warnings, line by line; none if there were none'],
    ['users.rejected.csv', 'the rows that were rejected, with the reasons: correct them and send this file'],
    ['run-12.held.txt', 'why an import waits for an approval; run-12.changes.csv has its changes'],
  ].map(([name, text]) => [name!, text!]);
}

/** Two columns. */
export function renderTable(rows: readonly (readonly [string, string])[]): string[] {
  const left = Math.max(...rows.map(([name]) => name.length)) + 4;
  return rows.flatMap(([name, text]) => wrapLine(`${`  ${name}`.padEnd(left)}${text}`, left));
}

/** A paragraph, whose lines after the first one are indented. */
export function wrap(text: string, indent = 0): string[] {
  return wrapLine(text, indent);
}
