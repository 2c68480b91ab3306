/** One result of a check of `dropslot doctor`, for people and for programs. */
export interface Finding {
  /** `wrong`: something is broken or lost. `warning`: it works now, but needs attention. `mended`: it was wrong and is repaired. */
  level: 'ok' | 'mended' | 'warning' | 'wrong';
  /** Which check it comes from. */
  check: Check;
  /** The checked object: a file, a folder, an organization. */
  subject: string;
  message: string;
  /** The repair that `--mend` can make without losing data. */
  mend?: Mend;
}

export type Check =
  | 'databases'
  | 'directory'
  | 'audit'
  | 'master_key'
  | 'host_keys'
  | 'transport'
  | 'login_keys'
  | 'private_files'
  | 'store'
  | 'blobs'
  | 'partials'
  | 'importers'
  | 'workers'
  | 'machine'
  | 'stages'
  | 'organization'
  | 'clock'
  | 'backups'
  | 'disk';

export interface Mend {
  /** In the words of a question: `remove …`. */
  what: string;
  act(): Promise<void>;
}

/** A function that makes findings of one check about one subject. */
export function reporter(findings: Finding[], check: Check, subject: string) {
  return (level: Finding['level'], message: string, mend?: Mend): void => {
    findings.push({ level, check, subject, message, ...(mend !== undefined && { mend }) });
  };
}
