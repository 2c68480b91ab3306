/**
 * The options of one organization: the rows of `orgs set` whose values are in the column `options`.
 * To add one: a member of `OrgOptions` in db/control/orgoptions.ts with its meaning, a row here, and `npm run docs`.
 * The parser, `orgs set --help`, its errors, `orgs show` and docs/organization-settings.md are made from the row.
 */
import { isContact, usersOrShare } from '../../config/settings.js';
import { isTimeOfDay } from '../../config/timeofday.js';
import { readShare, readSize, writeSize } from '../../config/units.js';
import type { OrgOptions } from '../../db/control/orgoptions.js';
import { isEmail, labelKey } from '../../importer/read/normalize.js';
import { readDays } from '../../importer/schedule/cadence.js';
import { parseSources } from '../../keys/login/addresses.js';
import { parseHours } from '../../keys/login/hours.js';
import { OperationError } from '../error.js';
import { readAliases, readIdentifier, writeAliases } from '../orglabels.js';
import { readClearToken, readFieldOwners, readOmission, writeFieldOwners } from './fieldvalues.js';
import { importPatterns, temporaryNames } from './namevalues.js';
import { oneOf, type SettingRow, wholeNumber } from './settingrow.js';
import { readNullWords, readStatusWords, writeNullWords, writeStatusWords } from './wordvalues.js';

/** null: as if the option had never been chosen. */
export type OptionChange = { [name in keyof OrgOptions]?: OrgOptions[name] | null };

const most = 999_999;
const mostProtected = 100;

/** Below this rate a single packet would wait for seconds. */
const leastRate = 64 * 1024;

const rate: Pick<SettingRow<number>, 'group' | 'takes' | 'unit' | 'default' | 'read' | 'write'> = {
  group: 'SFTP access',
  takes: ['a size of 64KiB or more such as 500KB or 2MiB'],
  unit: 'bytes a second',
  default: 'no limit',
  read: (text) => {
    const bytes = readSize(text);
    return bytes !== null && bytes >= leastRate ? bytes : null;
  },
  write: writeSize,
};

const yesOrNo: Pick<SettingRow<boolean>, 'takes' | 'example' | 'default' | 'read' | 'write'> = {
  ...oneOf('yes', 'no'),
  example: 'yes',
  default: 'no',
  read: (text) => (/^(yes|no)$/i.test(text) ? text.toLowerCase() === 'yes' : null),
  write: (value) => (value ? 'yes' : 'no'),
};

/** Of version 4 or 6, as programs print it: with blanks, in small letters, with 0x. */
function readFingerprint(text: string): string | null {
  const digits = text.replace(/\s|^0x/g, '').toUpperCase();
  return /^(?:[0-9A-F]{40}|[0-9A-F]{64})$/.test(digits) ? digits : null;
}

const days = ['daily', 'weekdays', 'days such as mon,wed,fri'];

export const optionRows: { [name in keyof Required<OrgOptions>]: SettingRow<Required<OrgOptions>[name]> } = {
  contact: {
    group: 'Organization',
    meaning:
      'Whom the people who send files ask: a name, an email address, a telephone number. It is in /README.txt, and in every report that says "ask your operator".',
    takes: ['a text of 1 to 200 characters'],
    example: 'People IT, it@acme.example',
    default: { setting: 'contact' },
    read: (text) => (isContact(text) ? text : null),
    write: String,
  },
  cadence: {
    group: 'Import schedule',
    meaning:
      'Days on which files are imported at the slot. With on-upload a file is imported as soon as it has been uploaded, and the daily slot imports the files for which that was not possible.',
    takes: [...days, 'on-upload'],
    example: 'weekdays',
    default: 'daily',
    read: (text) => (text === 'on-upload' || readDays(text) !== null ? text : null),
    write: String,
  },
  earlyCheck: {
    group: 'Import schedule',
    meaning: 'Check each file when it is uploaded, and report its errors to the sender before the slot.',
    ...oneOf('yes', 'no'),
    default: 'yes',
    read: (text) => (/^(yes|no)$/i.test(text) ? text.toLowerCase() === 'yes' : null),
    write: (value) => (value ? 'yes' : 'no'),
  },
  importPatterns,
  temporaryNames,
  importWithoutExtension: {
    group: 'Reading files',
    meaning: 'Import files whose names have no extension, such as users or users.20260301.',
    ...oneOf('yes', 'no'),
    default: 'no',
    read: (text) => (/^(yes|no)$/i.test(text) ? text.toLowerCase() === 'yes' : null),
    write: (value) => (value ? 'yes' : 'no'),
  },
  identifier: {
    group: 'Reading files',
    meaning:
      'Column that identifies a user, such as an employee number. A row with a known identifier and a new email then changes the email of that user; without this setting it would create a second user.',
    takes: ['a column name that is not a standard one'],
    example: 'Employee ID',
    default: 'users are identified by their email',
    read: readIdentifier,
    write: String,
  },
  managerIdentifier: {
    group: 'Reading files',
    meaning:
      'Column that has the identifier of the manager of a user, for an organization with an identifier. Managers are then found by it, and by Manager Email where it is blank.',
    takes: ['a column name that is not a standard one'],
    example: 'Manager ID',
    default: 'managers are found by Manager Email',
    read: readIdentifier,
    write: String,
  },
  nullWords: {
    group: 'Reading files',
    meaning:
      'Words that mean that a cell has no value. They are read as blank cells in standard columns other than names of people, and in fields that are not texts.',
    takes: ['at most 100 words, separated by commas', 'off'],
    example: 'NULL, N/A, unknown',
    default: 'the usual ones: NULL, N/A, #N/A, none, nil, -, #REF! and others',
    read: readNullWords,
    write: writeNullWords,
  },
  requireDottedDomain: {
    group: 'Reading files',
    meaning:
      'Require a dot after the @ in the addresses of new users, as in acme.com. With no, addresses such as tom@acme are accepted.',
    ...oneOf('yes', 'no'),
    default: 'yes',
    read: (text) => (/^(yes|no)$/i.test(text) ? text.toLowerCase() === 'yes' : null),
    write: (value) => (value ? 'yes' : 'no'),
  },
  statusWords: {
    group: 'Reading files',
    meaning:
      'Words of the column Status that mean that a user is active, and that a user has left. An import then deactivates and activates users by this column; a date in Deactivation Date decides before it.',
    takes: [
      '"active:" and "deactivated:", each followed by words separated by commas, with a semicolon between the two',
    ],
    example: 'active: Active, On Leave; deactivated: Terminated, Inactive',
    default: 'the column Status is not read',
    read: readStatusWords,
    write: writeStatusWords,
  },
  aliases: {
    group: 'Reading files',
    meaning: 'Column names of the HR system that stand for standard columns.',
    takes: ['column names, each with = and the standard column name that it stands for, separated by semicolons'],
    example: 'Work Email=User Email; Boss=Manager Email',
    default: 'standard column names only',
    read: readAliases,
    write: writeAliases,
  },
  encoding: {
    group: 'Reading files',
    meaning:
      'Character encoding of the files. With auto a file is read as UTF-8, as UTF-16 if it begins with a byte order mark, and otherwise as Windows-1252.',
    ...oneOf('utf-8', 'utf-16', 'windows-1252', 'auto'),
    example: 'windows-1252',
    default: 'utf-8',
  },
  requireEncryption: {
    group: 'Encryption',
    meaning: 'Refuse files that are not encrypted with PGP to a key of the organization.',
    ...yesOrNo,
  },
  requireSignature: {
    group: 'Encryption',
    meaning:
      'Refuse files without a valid PGP signature by one of these keys. "dropslot pgp import" adds the public keys of the customer.',
    takes: ['fingerprints of PGP keys, separated by commas'],
    example: '0123456789ABCDEF0123456789ABCDEF01234567',
    default: 'signatures are not required',
    read: (text) => {
      const all = text.split(',').map(readFingerprint);
      return all.every((one) => one !== null) ? [...new Set(all)] : null;
    },
    write: (all) => all.join(','),
  },
  allowUnprotectedPgp: {
    group: 'Encryption',
    meaning:
      'Read PGP files of old programs that have no protection of their integrity: a change of such a file on its way is not noticed.',
    ...yesOrNo,
  },
  reportsTo: {
    group: 'Encryption',
    meaning:
      'Encrypt all reports with PGP to this key. "dropslot pgp import" adds the public keys of the customer. Reports are then named like users.report.csv.pgp.',
    takes: ['a fingerprint of a PGP key'],
    example: '0123456789ABCDEF0123456789ABCDEF01234567',
    default: 'reports are not encrypted with PGP',
    read: readFingerprint,
    write: String,
  },
  createMissing: {
    group: 'Reading files',
    meaning:
      'Create users and teams whom only a cell names: a manager, an owner, a team or a parent team. With no, such a cell is ignored with a warning; with hold, a run that would create any of them is held for approval. Each is listed in the report in any case.',
    ...oneOf('yes', 'no', 'hold'),
    default: 'yes',
  },
  fieldOwners: {
    group: 'Reading files',
    meaning:
      'Fields that files may not always change. With people, a file does not replace a value that a person set with a command; with once, a file fills the field only while it is empty. A file may change all other fields (file).',
    takes: ['field names, each with =file, =people or =once, separated by semicolons'],
    example: 'Manager Email=people; User Name=once',
    default: 'files may change all fields',
    read: readFieldOwners,
    write: writeFieldOwners,
  },
  clearToken: {
    group: 'Reading files',
    meaning: 'Text of a cell that empties the value. A blank cell always leaves the value unchanged.',
    takes: [
      'a text of at most 40 characters without quotes, separators and @ that does not begin with =, +, - or an apostrophe',
    ],
    example: '<clear>',
    default: 'no cell empties a value',
    read: readClearToken,
    write: String,
  },
  omission: {
    group: 'Reading files',
    meaning:
      'With deactivate-after:3, deactivate users who came from files and are missing from 3 full users files in a row. A full file is in the folder /full, or its name ends in .full.csv. With keep, absence from a file changes nothing.',
    takes: ['keep', 'deactivate-after: with a number of files from 1 to 99'],
    example: 'deactivate-after:3',
    default: 'keep',
    read: readOmission,
    write: String,
  },
  maxDeactivations: {
    group: 'Approval limits',
    meaning:
      'Hold a run for approval if it deactivates more users than this. A share counts the active users, and never holds a run of fewer than 5 deactivations.',
    takes: ['a number of users such as 25', 'a share of the active users such as 10%'],
    example: '25%',
    default: { setting: 'maxDeactivations' },
    read: (text) => (usersOrShare.test(text) ? text : null),
    write: String,
  },
  maxAdminChanges: {
    group: 'Approval limits',
    meaning:
      'Hold a run for approval if it gives admin rights to, or takes them from, more users than this. To deactivate an admin takes these rights away too.',
    takes: ['a whole number of 0 or more'],
    example: '3',
    default: { setting: 'maxAdminChanges' },
    unit: 'users',
    read: (text) => (/^\d{1,9}$/.test(text) ? Number(text) : null),
    write: String,
  },
  maxUpdatedShare: {
    group: 'Approval limits',
    meaning:
      'Hold a run for approval if it changes the email, the manager or the teams of more than this share of the active users, and of at least 20 users.',
    takes: ['a share such as 50% or 0.5'],
    example: '80%',
    default: { setting: 'maxUpdatedShare' },
    read: readShare,
    write: writeShare,
  },
  holdAdmins: {
    group: 'Approval limits',
    meaning:
      'With always, hold every run that makes a user an admin, however few. With limit, maxAdminChanges decides. The first import is never held.',
    ...oneOf('limit', 'always'),
    default: 'limit',
  },
  approvals: {
    group: 'Approval limits',
    meaning:
      'Who approves and rejects held runs. With admins, the admins of the organization in the console and its tokens of the API may, and so may operators. With operators, only operators may.',
    ...oneOf('admins', 'operators'),
    default: 'admins',
  },
  twoPersonApproval: {
    group: 'Approval limits',
    meaning:
      'Require another person for the approval of a run than the one who sent its files: the person who added the login key of the upload, or the token of the upload. A key that an operator added with a command, a file of the folder of keys, a certificate and a source belong to no known person: then only operators may approve.',
    ...yesOrNo,
  },
  maxCreations: {
    group: 'Approval limits',
    meaning:
      'Hold a run for approval if it creates more users than this. A share counts the active users, and never holds a run of an organization with fewer than 500 active users. The first import is never held.',
    takes: ['a number of users such as 200', 'a share of the active users such as 50%'],
    example: '200',
    default: { setting: 'maxCreations' },
    read: (text) => (usersOrShare.test(text) ? text : null),
    write: String,
  },
  maxReactivations: {
    group: 'Approval limits',
    meaning:
      'Hold a run for approval if it activates more deactivated users again than this. A share counts the active users, and never holds a run of fewer than 20 re-activations.',
    takes: ['a number of users such as 25', 'a share of the active users such as 20%'],
    example: '40%',
    default: { setting: 'maxReactivations' },
    read: (text) => (usersOrShare.test(text) ? text : null),
    write: String,
  },
  protected: {
    group: 'Approval limits',
    meaning:
      'Email addresses of users whose deactivation always holds a run for approval, as that of the owner of the organization does.',
    takes: ['at most 100 email addresses, separated by commas'],
    example: 'ceo@acme.example,it@acme.example',
    default: 'the owner only',
    read: (text) => {
      const addresses = text.split(',').map((address) => address.trim());
      return addresses.length <= mostProtected && addresses.every(isEmail) ? addresses : null;
    },
    write: (addresses) => addresses.join(','),
  },
  expectFiles: {
    group: 'Alarms',
    meaning: 'Files that the organization must send. A missing, much smaller or unchanged file raises an alarm.',
    takes: ['users', 'teams', '"users,teams"'],
    example: 'users,teams',
    default: 'no files are expected',
    read: (text) => {
      const files = text.split(',').map((file) => file.trim());
      return files.every((file) => ['users', 'teams'].includes(file)) ? [...new Set(files)].sort().join(',') : null;
    },
    write: String,
  },
  expectBy: {
    group: 'Alarms',
    meaning: 'Time of day, in the time zone of the organization, by which the expected files must have been uploaded.',
    takes: ['a time of day from 00:00 to 23:59'],
    example: '06:00',
    default: 'the first slot of the day',
    read: (text) => (isTimeOfDay(text) ? text : null),
    write: String,
  },
  expectDays: {
    group: 'Alarms',
    meaning: 'Days on which the expected files must be uploaded.',
    takes: days,
    example: 'mon,wed,fri',
    default: 'the days of the slots',
    read: (text) => (readDays(text) === null ? null : text),
    write: String,
  },
  smallerThan: {
    group: 'Alarms',
    meaning: 'Raise an alarm if an expected file has less than this share of its usual rows or bytes.',
    takes: ['a share from 1% to 99%'],
    example: '30%',
    default: '50%',
    read: (text) => {
      const share = readShare(text);
      return share !== null && share >= 0.01 && share <= 0.99 ? share : null;
    },
    write: writeShare,
  },
  unchangedDays: {
    group: 'Alarms',
    meaning: 'Raise an alarm if an expected file has had the same content for this many days.',
    ...wholeNumber(1, most),
    example: '7',
    default: 'no alarm',
    unit: 'days',
  },
  addresses: {
    group: 'SFTP access',
    meaning: 'Addresses from which the organization may log in.',
    takes: ['addresses', 'address ranges', 'several of them separated by commas'],
    example: '192.0.2.0/24,2001:db8::/32',
    default: 'every address',
    read: (text) => {
      try {
        const ranges = parseSources(text);
        return ranges.length > 0 ? ranges : null;
      } catch (cause) {
        throw new OperationError('usage', (cause as Error).message, { cause });
      }
    },
    write: (ranges) => ranges.join(','),
  },
  hours: {
    group: 'SFTP access',
    meaning:
      'Days and times, in the time zone of the organization, at which it may log in. Open sessions may continue after that.',
    takes: ['times of the day such as 06:00-20:00', 'times of the week such as "mon-fri 06:00-20:00,sat 08:00-12:00"'],
    example: 'mon-fri 06:00-20:00',
    default: 'always',
    read: (text) => (parseHours(text) === null ? null : text.toLowerCase()),
    write: String,
  },
  keyChanges: {
    group: 'SFTP access',
    meaning:
      'Whether the admins of the organization, in the console and by a token of the API, change its login keys at once. With operator, a new key and other allowed addresses in the console wait for an operator, and the API refuses them. To revoke a key is always possible.',
    ...oneOf('at-once', 'operator'),
    default: 'at-once',
  },
  maxConnections: {
    group: 'SFTP access',
    meaning: 'Most logged-in connections at once.',
    ...wholeNumber(1, most),
    example: '5',
    default: { setting: 'maxConnectionsPerOrg' },
  },
  maxSessions: {
    group: 'SFTP access',
    meaning: 'Most SFTP sessions at once. One connection can have several.',
    ...wholeNumber(1, most),
    example: '10',
    default: { setting: 'maxSessionsPerOrg' },
  },
  maxHandles: {
    group: 'SFTP access',
    meaning: 'Most files and folders that its sessions together may have open at once.',
    ...wholeNumber(1, most),
    example: '100',
    default: { setting: 'maxHandlesPerOrg' },
  },
  uploadRate: { ...rate, meaning: 'Highest speed of all its uploads together.', example: '5MiB' },
  downloadRate: { ...rate, meaning: 'Highest speed of all its downloads together.', example: '1MiB' },
};

/** Rounded as percentages with decimals are written: 0.07 is `7%`. */
function writeShare(share: number): string {
  return `${Number((share * 100).toFixed(6))}%`;
}

/** @throws OperationError `usage` where options contradict each other. */
export function mergeOptions(before: OrgOptions, change: OptionChange): OrgOptions {
  const merged: OrgOptions = Object.fromEntries(
    Object.entries({ ...before, ...change }).filter(([, value]) => value !== null),
  );
  const { identifier, managerIdentifier } = merged;
  if (managerIdentifier !== undefined && identifier === undefined)
    throw new OperationError(
      'usage',
      'managerIdentifier needs an identifier; set both, for example identifier="Employee ID" managerIdentifier="Manager ID", or set managerIdentifier=default',
    );
  if (managerIdentifier !== undefined && labelKey(managerIdentifier) === labelKey(identifier!))
    throw new OperationError('usage', 'managerIdentifier and identifier must be two different columns');
  return merged;
}
