/** Login keys as an OpenSSH sshd reads them: lines of authorized_keys (sshd(8)), for its AuthorizedKeysCommand. */
import { existsSync } from 'node:fs';
import { pathsOf } from '../config/paths.js';
import { hasSftp, type Settings } from '../config/settings.js';
import { openControl } from '../db/connection.js';
import { type LoginKey, listLoginKeys } from '../db/control/keys.js';
import { listOrgs } from '../db/control/orgs.js';
import { judgeKey } from '../keys/login/terms.js';
import { OperationError } from './error.js';

export interface AuthorizedChoice {
  /** null: every organization. */
  org: string | null;
  /** The command of each line, without `--org`; null: sshd runs the command of its sshd_config. */
  command: string | null;
}

/**
 * The keys that may log in now; none of an organization that is unknown or closed, as sshd asks for any name. Authorities
 * are sshd's own business (TrustedUserCAKeys): their terms would not be kept there.
 * @throws OperationError `not_found` when there is no data; DatabaseError
 */
export async function listAuthorized(settings: Settings, choice: AuthorizedChoice, now: number): Promise<string[]> {
  const paths = pathsOf(settings);
  if (settings.database === 'sqlite' && !existsSync(paths.control))
    throw new OperationError('not_found', `no Dropslot data in ${paths.data}`);
  const control = await openControl(settings);
  try {
    const lines: string[] = [];
    for (const org of await listOrgs(control.read)) {
      if (choice.org !== null && choice.org !== org.id) continue;
      if (!org.enabled || !hasSftp(settings, org.plan)) continue;
      const keys = await listLoginKeys(control.read, org.id);
      lines.push(...keys.filter((key) => isUsable(key, now)).map((key) => writeLine(key, choice.command)));
    }
    return lines;
  } finally {
    await control.close();
  }
}

/** From some address, which sshd and `sftp-server` judge. */
function isUsable(key: LoginKey, now: number): boolean {
  return key.kind === 'key' && judgeKey({ ...key, sources: [] }, null, now) === null;
}

function writeLine({ org, sources, algorithm, publicKey, label }: LoginKey, command: string | null): string {
  const options = ['restrict'];
  if (sources.length > 0) options.push(`from="${sources.join(',')}"`);
  if (command !== null) options.push(`command="${`${command} --org ${org}`.replaceAll('"', '\\"')}"`);
  const comment = label.replace(/[^\x21-\x7e]+/g, ' ').trim();
  return [options.join(','), algorithm, publicKey, comment].join(' ').trim();
}
