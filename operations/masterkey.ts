/** Changing the master key: every organization's identity is sealed anew, while both keys open. */
import { listSealedTotp, replaceSealedTotp } from '../db/control/accounts.js';
import { recordAudit } from '../db/control/audit.js';
import { listSubscribers, replaceSubscriberSecret } from '../db/control/eventsubscribers.js';
import { listOrgProviders, replaceProviderSecret } from '../db/control/orgproviders.js';
import { listOrgs, lockOrg, type SealedIdentity, updateOrg } from '../db/control/orgs.js';
import { listSources, replaceSourceSecret } from '../db/control/sources.js';
import { eraseDeleted } from '../db/erase.js';
import { KeyError } from '../keys/error.js';
import { openDirectoryKey, resealDirectoryKey } from '../keys/master/directorykey.js';
import {
  generateMaster,
  keepMaster,
  loadMaster,
  type MasterKey,
  replaceMaster,
  splitMaster,
} from '../keys/master/master.js';
import { keyIdOf, openOrgIdentity, openSealedIdentity } from '../keys/master/orgidentity.js';
import { resealText, sealText } from '../keys/master/sealedtext.js';
import { OperationError } from './error.js';
import { atSharedKeys } from './keylock.js';
import type { Workplace } from './workplace.js';

/** The steps of a rotation, any of which a crash can follow: the new key is in the file beside the old one, all is sealed to it, the old one is kept. */
export type MasterStep = 'added' | 'resealed' | 'kept' | 'replaced';

export interface MasterRotation {
  /** `age1…` of the new master key. */
  recipient: string;
  /** Organizations whose identities were sealed anew now. */
  resealed: number;
  /** Files that hold the old keys; empty where the operator holds them. */
  oldKeyFiles: string[];
  /** Whether the master key's source still holds old keys that only the operator can take out. */
  isOldKeyPresent: boolean;
  /** Whether the database's files no longer contain old copies of the identities that the old key opens. */
  isErased: boolean;
}

/** Whose rows have seals of the master key. */
const sealedTables = ['orgs', 'directory_key', 'subscribers', 'sources', 'accounts', 'org_providers'];

/**
 * Makes a new master key in the file of the old one; where the source is no file, the operator has put the new identity
 * before the old one there. An attempt that was cut off is continued by the next one.
 * @throws OperationError, KeyError
 */
export async function rotateMaster(
  workplace: Workplace,
  onStep: (step: MasterStep) => void | Promise<void> = () => {},
): Promise<MasterRotation> {
  return atSharedKeys(workplace, async (requireKeys) => {
    const [newest, ...older] = await beginMaster(workplace);
    await onStep('added');
    const resealed = await resealAll(workplace, newest!, older);
    await onStep('resealed');
    await requireKeys();
    const oldKeyFiles: string[] = [];
    if (isReplaceable(workplace)) {
      for (const old of older) {
        const path = `${workplace.secrets.masterKey}.old-${keyIdOf(old.recipient)}`;
        await keepMaster(path, workplace.secrets, old);
        oldKeyFiles.push(path);
      }
      await onStep('kept');
      await replaceMaster(workplace.secrets, [newest!]);
    }
    await onStep('replaced');
    const isErased = await eraseDeleted(workplace.control, sealedTables);
    const isOldKeyPresent = older.length > 0 && !isReplaceable(workplace);
    return { recipient: newest!.recipient, resealed, oldKeyFiles, isOldKeyPresent, isErased };
  });
}

/** Every identity of the master key, the one that seals from now on first. */
async function beginMaster({ settings, paths, secrets, ...workplace }: Workplace): Promise<MasterKey[]> {
  const masters = await splitMaster(await loadMaster(paths, secrets));
  if (masters.length > 1) return masters;
  // Nothing is begun that can't be finished.
  for (const org of await listOrgs(workplace.control.read))
    if (org.sealedIdentity !== null) await openOrgIdentity(masters[0]!, org);
  await openDirectoryKey(workplace.control.read, masters[0]!);
  if (!isReplaceable({ settings, secrets }))
    throw new OperationError(
      'refused',
      `the master key comes from ${secrets.masterKey}: put a new identity (age-keygen makes one) on a line before the old one there, start the server again, and repeat this`,
    );
  const both = [await generateMaster(settings.recipientType), ...masters];
  await replaceMaster(secrets, both);
  return both;
}

/** systemd's credentials can be read, and are written by systemd alone. */
function isReplaceable({ settings, secrets }: Pick<Workplace, 'settings' | 'secrets'>): boolean {
  return secrets.isFile && settings.masterKey?.startsWith('credential:') !== true;
}

async function resealAll(workplace: Workplace, newest: MasterKey, older: readonly MasterKey[]): Promise<number> {
  let resealed = 0;
  for (const { id } of await listOrgs(workplace.control.read))
    if (await resealOrg(workplace, id, newest, older)) resealed++;
  await resealKey(workplace, newest, older);
  await resealSecrets(workplace, newest, older);
  for (const org of await listOrgs(workplace.control.read))
    if (org.sealedIdentity !== null) await openOrgIdentity(newest, org);
  return resealed;
}

/** Of a sealed directory.db. */
async function resealKey(workplace: Workplace, newest: MasterKey, older: readonly MasterKey[]): Promise<void> {
  await workplace.control.transact(async (tx) => {
    if (!(await resealDirectoryKey(tx, newest, older))) return;
    const event = { at: workplace.now(), org: null, actor: workplace.actor, action: 'directory.key_resealed' };
    await recordAudit(tx, { ...event, subject: 'directory.db', detail: { master: keyIdOf(newest.recipient) } });
  });
}

/** Of sources, subscribers, providers and people of the console. Outside of transactions: opening takes longer than an upload should wait. @throws Error when no key opens the secret of a subscriber */
async function resealSecrets({ control }: Workplace, newest: MasterKey, older: readonly MasterKey[]): Promise<void> {
  const former = older.map(({ identity }) => identity).join('\n');
  for (const { id, secret } of await listSources(control.read, { kind: 'sftp' })) {
    const resealed = secret === null ? 'current' : await resealText(newest, former, secret);
    // One that no key opens was lost before; the doctor reports it.
    if (typeof resealed === 'object') await replaceSourceSecret(control.write, id, secret!, resealed.sealed);
  }
  for (const { id, secret } of await listSubscribers(control.read)) {
    const resealed = secret === null ? 'current' : await resealText(newest, former, secret);
    if (resealed === 'lost') throw new Error(`no master key opens the secret of ${id}`);
    if (typeof resealed === 'object') await replaceSubscriberSecret(control.write, id, secret!, resealed.sealed);
  }
  for (const { org, secret } of await listOrgProviders(control.read)) {
    const resealed = secret === null ? 'current' : await resealText(newest, former, secret);
    // A lost one: sign-in says so, and the operator sets the secret again.
    if (typeof resealed === 'object') await replaceProviderSecret(control.write, org, secret!, resealed.sealed);
  }
  for (const { id, totp } of await listSealedTotp(control.read)) {
    const resealed = await resealText(newest, former, totp);
    // A lost one: its person signs in with a recovery code, or by a new invitation.
    if (typeof resealed === 'object') await replaceSealedTotp(control.write, id, totp, resealed.sealed);
  }
}

/** One transaction: whether anything of it was sealed to an older master key. */
async function resealOrg(
  workplace: Workplace,
  id: string,
  newest: MasterKey,
  older: readonly MasterKey[],
): Promise<boolean> {
  return workplace.control.transact(async (tx) => {
    const org = await lockOrg(tx, id, true);
    if (org === null || org.sealedIdentity === null) return false;
    const reseal = (sealed: Pick<SealedIdentity, 'recipient' | 'sealedIdentity'>) =>
      resealIdentity(id, newest, older, sealed);
    const sealedIdentity = await reseal({ recipient: org.recipient, sealedIdentity: org.sealedIdentity });
    const oldIdentities = [];
    for (const old of org.oldIdentities) oldIdentities.push({ ...old, sealedIdentity: await reseal(old) });
    const isChanged =
      sealedIdentity !== org.sealedIdentity ||
      oldIdentities.some((old, index) => old.sealedIdentity !== org.oldIdentities[index]!.sealedIdentity);
    if (!isChanged) return false;
    await updateOrg(tx, id, { sealedIdentity, oldIdentities });
    await recordAudit(tx, {
      at: workplace.now(),
      org: id,
      actor: workplace.actor,
      action: 'identity.resealed',
      subject: keyIdOf(org.recipient),
      detail: { master: keyIdOf(newest.recipient) },
    });
    return true;
  });
}

/** As it was, where the newest master key opens it already. */
async function resealIdentity(
  org: string,
  newest: MasterKey,
  older: readonly MasterKey[],
  sealed: Pick<SealedIdentity, 'recipient' | 'sealedIdentity'>,
): Promise<string> {
  try {
    await openSealedIdentity(newest, org, sealed);
    return sealed.sealedIdentity;
  } catch (error) {
    if (!(error instanceof KeyError) || error.code !== 'refused') throw error;
  }
  const identity = older.map((master) => master.identity).join('\n');
  const opened = await openSealedIdentity({ recipient: newest.recipient, identity }, org, sealed);
  return sealText(newest.recipient, opened);
}

/** For the log of the server and the remark of a command: whichever made the key. */
export function backupNotice(masterKey: string, data: string): string {
  return `back up ${masterKey} now and keep the copy apart from ${data}: without it no stored file can ever be opened; back up ${data} as well`;
}
