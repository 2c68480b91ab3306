/** Checks that the master key and the host keys exist, are valid, and are readable by their owner alone. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { KeyError } from '../../keys/error.js';
import { type HostKey, loadHostKeys, standardHostKeyNames } from '../../keys/host/hostkeys.js';
import type { MasterKey } from '../../keys/master/master.js';
import { isProtected } from '../../keys/master/passphrase.js';
import type { Workplace } from '../workplace.js';
import { type Finding, reporter } from './finding.js';
import { closing } from './permissions.js';

type Report = ReturnType<typeof reporter>;

const dayMs = 24 * 60 * 60 * 1000;

/** A rotation that takes longer was forgotten. */
const longestRotationMs = 90 * dayMs;

/** `master` is null where it can't be used. */
export async function examineMasterKey(
  workplace: Workplace,
): Promise<{ findings: Finding[]; master: MasterKey | null }> {
  const { paths } = workplace;
  const findings: Finding[] = [];
  const report = reporter(findings, 'master_key', workplace.secrets.masterKey);
  let master: MasterKey | null = null;
  try {
    master = await workplace.master();
    report('ok', `opens ${master.recipient}`);
    if (master.identity.includes('\n'))
      report('warning', 'holds older keys beside the new one: finish with "dropslot identity rotate-master"');
    if (workplace.secrets.isFile) checkMasterFile(paths, report);
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    if (error.code !== 'withheld') report('wrong', error.message);
    else if (!existsSync(paths.masterKey)) report('ok', 'does not exist on this node, which only takes uploads');
    else report('warning', 'this node only takes uploads, and needs no master key: remove it from this node');
  }
  return { findings, master };
}

export async function examineHostKeys({ paths, settings, now }: Workplace): Promise<Finding[]> {
  const findings: Finding[] = [];
  const report = reporter(findings, 'host_keys', paths.hostKeys);
  if (settings.role === 'import') return findings;
  const names = await readdir(paths.hostKeys).catch((): string[] => []);
  const missing = standardHostKeyNames.filter((name) => !names.includes(name));
  if (missing.length > 0) {
    const level = missing.length === standardHostKeyNames.length ? 'warning' : 'wrong';
    report(
      level,
      `${missing.join(' and ')} missing: the next start makes new ones, and clients will warn of a changed server; restore the old ones if a backup has them`,
    );
    return findings;
  }
  try {
    for (const key of await loadHostKeys(paths.hostKeys)) {
      reportHostKey(key, now(), report);
      checkMode(key.file, reporter(findings, 'host_keys', key.file));
    }
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    report('wrong', error.message);
  }
  return findings;
}

function reportHostKey({ type, fingerprint, state, since }: HostKey, now: number, report: Report): void {
  const days = Math.floor((now - since) / dayMs);
  const isForgotten = state !== 'active' && now - since > longestRotationMs;
  if (!isForgotten) report('ok', `${type} ${fingerprint}${state === 'active' ? '' : `, ${state}`}`);
  else if (state === 'announced')
    report('warning', `announced for ${days} days: "dropslot hostkeys activate ${fingerprint}", or remove it`);
  else report('warning', `retired ${days} days ago: "dropslot hostkeys remove ${fingerprint}"`);
}

/** A copy of the volume with the sealed files must not include the key that opens them. */
function checkMasterFile({ masterKey, masterKeyPassphrase, blobs }: Workplace['paths'], report: Report): void {
  checkMode(masterKey, report);
  const hasPassphraseFile = masterKeyPassphrase !== null && existsSync(masterKeyPassphrase);
  if (hasPassphraseFile) checkMode(masterKeyPassphrase, report);
  if (!existsSync(blobs)) return;
  const volume = statSync(blobs).dev;
  if (statSync(masterKey).dev !== volume) return;
  if (!isProtected(readFileSync(masterKey)))
    report(
      'warning',
      'is on the same volume as the sealed files: a copy of that volume can be opened; move the key to another volume',
    );
  else if (hasPassphraseFile && statSync(masterKeyPassphrase).dev === volume)
    report(
      'warning',
      'is on the same volume as its passphrase and the sealed files: a copy of that volume can be opened; move the passphrase to another volume',
    );
}

function checkMode(file: string, report: Report): void {
  const mode = statSync(file).mode & 0o777;
  if ((mode & 0o077) !== 0)
    report('wrong', `others may read it (mode ${mode.toString(8)}): chmod 600 ${file}`, closing(file, 0o600));
}
