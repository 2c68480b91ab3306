/** Checks whether users and teams are encrypted at rest: by Dropslot, or by the volume. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { viewSeal } from '../directoryseal.js';
import type { Workplace } from '../workplace.js';
import { type Finding, reporter } from './finding.js';

/** Linux describes each block device here, by its numbers. */
const devices = '/sys/dev/block';

export function examineDirectorySeal(workplace: Workplace): Finding[] {
  const { settings, paths, directory } = workplace;
  const findings: Finding[] = [];
  const { state, leftovers } = viewSeal(workplace);
  const report = reporter(findings, 'directory', state === 'none' ? 'PostgreSQL' : paths.directory);
  if (state === 'sealed') reportSealed(workplace, report);
  else if (settings.sealDirectory === 'volume') report('ok', describeVolume(state === 'none' ? null : paths.data));
  else if (state === 'none')
    report(
      'warning',
      "users and teams are not sealed: Dropslot can't seal them on PostgreSQL; encrypt the volume of PostgreSQL, then set sealDirectory to volume",
    );
  else
    report(
      'warning',
      'users and teams are in it in the clear: stop the server and run "dropslot directory seal", or encrypt the volume and set sealDirectory to volume',
    );
  for (const path of leftovers) {
    const again = state === 'sealed' ? 'seal' : 'unseal", or "dropslot directory seal';
    reporter(
      findings,
      'directory',
      path,
    )(
      'wrong',
      `an interrupted "dropslot directory" command left it, with users in the clear: stop the server and run "dropslot directory ${again}"`,
    );
  }
  if (directory.withheld !== undefined && settings.role !== 'intake') report('wrong', directory.withheld.message);
  return findings;
}

function reportSealed({ settings, directory }: Workplace, report: ReturnType<typeof reporter>): void {
  if (directory.withheld !== undefined && settings.role === 'intake')
    report('ok', 'sealed; this node, which only takes uploads, has no key for it');
  else if (settings.sealDirectory === 'on') report('ok', 'sealed: users and teams are encrypted');
  else
    report(
      'ok',
      'sealed: users and teams are encrypted; set sealDirectory to on, so that it can only be opened sealed',
    );
}

function describeVolume(folder: string | null): string {
  if (folder !== null && isEncryptedVolume(statSync(folder).dev))
    return 'not sealed; its volume is encrypted (dm-crypt)';
  return 'not sealed; the operator says that the volume is encrypted (sealDirectory), which Dropslot can not see from here';
}

/** Whether a block device, or one that it is made of, is encrypted by dm-crypt. false: it is not, or this is no such device. */
export function isEncryptedVolume(device: number, root = devices): boolean {
  // As makedev(3) packs them on Linux.
  const [major, minor] = [(device >>> 8) & 0xfff, (device & 0xff) | ((device >>> 12) & 0xfff00)];
  return isEncrypted(join(root, `${major}:${minor}`));
}

function isEncrypted(folder: string): boolean {
  const uuid = join(folder, 'dm', 'uuid');
  if (existsSync(uuid) && readFileSync(uuid, 'utf8').startsWith('CRYPT-')) return true;
  const below = join(folder, 'slaves');
  return existsSync(below) && readdirSync(below).some((name) => isEncrypted(join(below, name)));
}
