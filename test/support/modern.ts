/** Clients newer than the machine's own, where scripts/modern-clients.sh has unpacked them. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * `stable` is Debian 13 (OpenSSH 10.0, PuTTY 0.83); `backports` a later OpenSSH, which warns of what is not post-quantum;
 * `unstable` the newest (10.4 and later disconnect a server that sends other packets in a key exchange).
 */
export type ModernSuite = 'stable' | 'backports' | 'unstable';

const folder = process.env.TEST_CLIENTS ?? join(tmpdir(), 'dropslot-clients');

export function modernClient(suite: ModernSuite, program: 'ssh' | 'sftp' | 'psftp' | 'puttygen'): string {
  return join(folder, suite, program);
}

/** For a test's `skip`. */
export function missingModern(suite: ModernSuite): string | false {
  const isThere = existsSync(modernClient(suite, 'ssh'));
  return isThere ? false : `Debian's clients (${suite}) are NOT UNPACKED in ${folder}: scripts/modern-clients.sh`;
}
