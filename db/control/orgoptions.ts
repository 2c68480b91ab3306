/** The options of one organization, kept as JSON in the column `options`. Operators set them with `orgs set`. */

/** Character encoding of files; `auto`: UTF-8, UTF-16 with a byte order mark, else Windows-1252. */
export type Encoding = 'utf-8' | 'utf-16' | 'windows-1252' | 'auto';

/** An option is absent until an operator sets it. Each has a row in operations/orgsettings/optionrows.ts. */
export interface OrgOptions {
  /** Whom its people ask, in one line; without it the setting `contact` of the server. */
  contact?: string;
  /** Deactivations that one run may make without an approval: `25`, or a share of the active users, `10%`. */
  maxDeactivations?: string;
  /** Users that one run may make admins, or no longer admins, without an approval. */
  maxAdminChanges?: number;
  /** Share of the active users, 0 to 1, whose email, manager or teams one run may change without an approval. */
  maxUpdatedShare?: number;
  /** Users that one run may create without an approval: `200`, or a share of the active users, `50%`. */
  maxCreations?: string;
  /** Deactivated users that one run may activate again without an approval, in the same forms. */
  maxReactivations?: string;
  /** `always`: a run that makes any user an admin needs an approval; without it `maxAdminChanges` decides. */
  holdAdmins?: 'limit' | 'always';
  /** Who decides about held runs; without it `admins`: those of the organization, and operators. */
  approvals?: 'admins' | 'operators';
  /** Whether a run needs another person than the one who sent its files for its approval; without it false. */
  twoPersonApproval?: boolean;
  /** Addresses of users beside the owner whose deactivation always needs an approval. */
  protected?: string[];
  /** Logged-in connections at once; without it the setting `maxConnectionsPerOrg`. */
  maxConnections?: number;
  /** SFTP sessions at once; without it the setting `maxSessionsPerOrg`. */
  maxSessions?: number;
  /** Open files and folders at once; without it the setting `maxHandlesPerOrg`. */
  maxHandles?: number;
  /** Bytes a second of all its uploads together; without it there is no limit. */
  uploadRate?: number;
  /** Bytes a second of all its downloads together; without it there is no limit. */
  downloadRate?: number;
  /** Times at which it may log in, in the form of `parseHours` (keys/login/hours.ts): `mon-fri 06:00-20:00`; without it always. */
  hours?: string;
  /** CIDRs from which it may log in; without it every address. */
  addresses?: string[];
  /** `daily`, `weekdays`, days as `mon,wed`, or `on-upload`; without it daily. */
  cadence?: string;
  /** `users`, `teams` or `teams,users`: these files must come, and an alarm is raised if they do not. */
  expectFiles?: string;
  /** HH:MM in its time zone; without it its first slot. */
  expectBy?: string;
  /** Days in the forms of `cadence`; without it the days of its slots. */
  expectDays?: string;
  /** Share of the usual size, 0 to 1, below which a file raises an alarm; without it 0.5. */
  smallerThan?: number;
  /** Days after which an unchanged file raises an alarm; without it there is no such alarm. */
  unchangedDays?: number;
  /** Whether files are checked when they are uploaded; without it true. */
  earlyCheck?: boolean;
  /** Patterns of names of files that are not finished, beside those of storage/filename.ts, which reads them (rule F0). */
  temporaryNames?: string[];
  /** Patterns of further names that are imported. */
  importPatterns?: string[];
  /** Whether names without an extension are imported; without it false. */
  importWithoutExtension?: boolean;
  /** The column that identifies a user, whatever their email (rule U15). */
  identifier?: string;
  /** With `identifier`: the column that has the identifier of a user's manager (rule U8b); without it managers are found by email. */
  managerIdentifier?: string;
  /** Words that are blank cells (rule U6a); without it those of importer/read/nullwords.ts. */
  nullWords?: string[];
  /** Whether the address of a new user must have a dot after the @; without it true. */
  requireDottedDomain?: boolean;
  /** Words of a column `Status`, by their meaning (rule U12b); without it the column is not read. */
  statusWords?: { active: string[]; deactivated: string[] };
  /** Whether its own people and tokens change its login keys at once; without it they do. */
  keyChanges?: 'at-once' | 'operator';
  /** Column names of its files, each with the standard column that it stands for (rule F7). */
  aliases?: Record<string, string>;
  /** Whether cells that name unknown users and teams create them; without it `yes`. `hold`: a run that would is held. */
  createMissing?: 'yes' | 'no' | 'hold';
  /** Fields that files may not always change, by their labels (rule U4a). */
  fieldOwners?: Record<string, 'people' | 'once'>;
  /** A cell with this text empties the value (rule U4a); without it no cell does. */
  clearToken?: string;
  /** `deactivate-after:3`: users who are missing from this many full files in a row are deactivated (rule U3a); without it `keep`. */
  omission?: string;
  /** Whether files that are not encrypted with PGP are refused; without it false. */
  requireEncryption?: boolean;
  /** Fingerprints of the customer's keys, one of which must have signed each file; without it signatures are not required. */
  requireSignature?: string[];
  /** Whether PGP files without protection of their integrity are read; without it false. */
  allowUnprotectedPgp?: boolean;
  /** The fingerprint of the customer's key to which reports are encrypted; without it they are not. */
  reportsTo?: string;
  /** Without it `utf-8`. */
  encoding?: Encoding;
}
