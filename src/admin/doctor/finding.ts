/** What a check finds, as people and programs get it. */
export interface Finding {
  /** `wrong`: something is broken or lost. `warning`: it works, and will not for ever. */
  level: 'ok' | 'warning' | 'wrong';
  /** Which check: databases, master_key, host_keys, blobs, organization, disk. */
  check: 'databases' | 'master_key' | 'host_keys' | 'blobs' | 'organization' | 'disk';
  /** What it is about: a file, a folder, an organization. */
  subject: string;
  message: string;
}

/** A function that makes findings of one check about one subject. */
export function reporter(findings: Finding[], check: Finding['check'], subject: string) {
  return (level: Finding['level'], message: string): void => {
    findings.push({ level, check, subject, message });
  };
}
