/** Exports that flow on by themselves: added for a target and a time, and made at once by an operator. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import ssh2 from 'ssh2';
import { createSilentLogger } from '../../config/logger.js';
import { newEventId } from '../../db/control/eventrows.js';
import { endLease, takeLease } from '../../db/control/eventsubscribers.js';
import type { Outcome } from '../../events/deliverer.js';
import { leaseMs, renewEveryMs } from '../../events/delivery.js';
import { sealText } from '../../keys/master/sealedtext.js';
import { OperationError } from '../error.js';
import { addSubscriber, exportKind, getSubscriber, listOfKind } from '../subscribers.js';
import type { Workplace } from '../workplace.js';
import { type ExportDeps, makeExport } from './deliverer.js';
import { describeTarget, type ExportOptions, readFolderTarget, readSftpTarget, readWhen } from './options.js';

export interface NewExport {
  /** `sftp://user@host:22/folder`. */
  to?: string;
  /** The private key's text. */
  key?: string;
  hostKey?: string;
  toFolder?: string;
  changedOnly?: boolean;
  when?: string;
  allowPrivate?: boolean;
  keep?: number;
  description?: string;
}

const usualKeep = 30;
const mostOfOrg = 20;
const mostDescription = 200;
/** After these a directory may have changed. */
const runTypes = ['run.completed', 'run.completed_with_problems', 'run.undone'];

/** @returns its id. @throws OperationError `usage`, `not_found`, `refused`; KeyError when there is no master key to seal the key */
export async function addExport(workplace: Workplace, orgId: string, given: NewExport): Promise<{ id: string }> {
  const { id: org } = await workplace.org(orgId);
  const { changedOnly = false, keep = usualKeep, description } = given;
  if ((description?.length ?? 0) > mostDescription)
    throw new OperationError('usage', `--description takes at most ${mostDescription} characters`);
  const when = readWhen(given.when ?? 'after-run');
  const { target, key } = readTarget(given);
  const options: ExportOptions = { target, when, changedOnly, keep };
  const others = (await listOfKind(workplace, exportKind)).filter((one) => one.org === org);
  if (others.length >= mostOfOrg)
    throw new OperationError('refused', `${org} has ${mostOfOrg} exports, the most that are possible: remove one`);
  const secret = key === null ? null : await sealText((await workplace.master()).recipient, key);
  const types = when === 'after-run' ? [...runTypes, 'export.due'] : ['export.due'];
  const subscriber = { org, types, options: { ...options }, secret, description: description ?? null };
  return { id: await addSubscriber(workplace, exportKind, subscriber) };
}

/** @throws OperationError `usage` */
function readTarget(given: NewExport): { target: ExportOptions['target']; key: string | null } {
  const { to, toFolder, key, hostKey, allowPrivate = false } = given;
  if ((to === undefined) === (toFolder === undefined))
    throw new OperationError('usage', 'give either --to sftp://user@host/folder or --to-folder /exports');
  if (toFolder !== undefined) {
    if (key !== undefined || hostKey !== undefined || allowPrivate)
      throw new OperationError('usage', '--key, --host-key and --allow-private belong to --to, not to --to-folder');
    return { target: readFolderTarget(toFolder), key: null };
  }
  if (key === undefined || hostKey === undefined)
    throw new OperationError(
      'usage',
      '--to needs --key with a private key, and --host-key with the fingerprint of the other server',
    );
  const parsed = ssh2.utils.parseKey(key);
  if (parsed instanceof Error || !(Array.isArray(parsed) ? parsed[0]! : parsed).isPrivateKey())
    throw new OperationError(
      'usage',
      '--key is not a private key without a passphrase; make one with: ssh-keygen -t ed25519 -N "" -f export_key',
    );
  return { target: readSftpTarget(to!, hostKey, allowPrivate), key };
}

/**
 * Makes the export now, from this process, also if it is disabled; the server makes none of it meanwhile.
 * @throws OperationError `not_found`, `unavailable` while another process makes it; KeyError
 */
export async function runExport(
  workplace: Workplace,
  id: string,
  onStep: ExportDeps['onStep'] = () => {},
): Promise<Outcome> {
  await getSubscriber(workplace, exportKind, id);
  const { control, directory, paths, settings, now, org, actor } = workplace;
  const deps = { control, directory, paths, settings, now, org, actor, logger: createSilentLogger(), onStep };
  const owner = `${hostname()}:${process.pid}:${randomBytes(6).toString('hex')}`;
  const hold = () => takeLease(control.write, id, owner, now(), leaseMs, ['enabled', 'disabled']);
  if (!(await hold()))
    throw new OperationError(
      'unavailable',
      `the server or another command makes the export ${id} now: try again in a minute`,
    );
  const ending = new AbortController();
  const renewing = setInterval(() => {
    hold().then(
      (isHeld) => isHeld || ending.abort(),
      () => {}, // the next renewal tries it again
    );
  }, renewEveryMs);
  try {
    const at = now();
    const event = { id: newEventId(at), at };
    const loadMaster = () => workplace.master();
    // Read under the lease: an export that has just ended changed it.
    const subscriber = await getSubscriber(workplace, exportKind, id);
    return await makeExport({ ...deps, loadMaster }, subscriber, event, ending.signal);
  } finally {
    clearInterval(renewing);
    await endLease(control.write, id, owner);
  }
}

export { describeTarget };
