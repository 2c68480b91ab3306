/** How an organization's files are written; `auto`: UTF-8, UTF-16 with a byte order mark, else Windows-1252. */
export type Encoding = 'utf-8' | 'utf-16' | 'windows-1252' | 'auto';

/** Options of one organization, beyond its limits: each is absent until an operator sets it. */
export interface OrgOptions {
  /** Limits of a run without approval; the settings of the same names hold without them. */
  maxDeactivations?: string;
  maxAdminChanges?: number;
  maxUpdatedShare?: number;
  /** Logged-in connections at once; `maxConnectionsPerOrg` without it. */
  maxConnections?: number;
  /** SFTP sessions at once; `maxSessionsPerOrg` without it. */
  maxSessions?: number;
  /** Open files and folders at once; `maxHandlesPerOrg` without it. */
  maxHandles?: number;
  /** Bytes a second that all its clients together may send; absent: no limit. */
  uploadRate?: number;
  /** Bytes a second that all its clients together fetch. */
  downloadRate?: number;
  /** When it may log in, as `parseHours` of keys/login/hours.ts reads it: `mon-fri 06:00-20:00`; always without it. */
  hours?: string;
  /** CIDRs that it may log in from; every address without it. */
  addresses?: string[];
  /** `daily`, `weekdays`, days as `mon,wed`, or `on-upload`; daily without it. */
  cadence?: string;
  /** `users`, `teams` or `users,teams`: silence of these is an alarm. */
  expectFiles?: string;
  /** HH:MM in its time zone; its slot without it. */
  expectBy?: string;
  /** Days as `cadence` has them; those of its slots without it. */
  expectDays?: string;
  /** Share of the usual size below which a file is an alarm; a half without it. */
  smallerThan?: number;
  /** A file that has been the same for so many days is an alarm; never without it. */
  unchangedDays?: number;
  /** Whether queued files are checked at once; true without it. */
  earlyCheck?: boolean;
  /** The column that identifies a user, whatever their email (rule U15). */
  identifier?: string;
  /** Labels of its files that mean a standard one (rule F7). */
  aliases?: Record<string, string>;
  /** `utf-8` without it. */
  encoding?: Encoding;
}
