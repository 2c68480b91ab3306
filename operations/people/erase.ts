/**
 * Erases everything about a person: directory, history, reports, archives and files that wait. The receipt in the audit trail
 * names nobody. Killed at any line, the next call continues; called twice, it finds nothing the second time.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { recordAudit } from '../../db/control/audit.js';
import { lockOrg, type Org, updateOrg } from '../../db/control/orgs.js';
import { noteDirectoryWrites } from '../../db/control/pair.js';
import { forgetPartialsBefore } from '../../db/control/partials.js';
import { findRun } from '../../db/control/runs.js';
import { bumpVersion } from '../../db/directory/directory.js';
import { hasOtherAdmin, readEditableUser } from '../../db/directory/edits.js';
import { findErased, forgetErased, rememberErased } from '../../db/directory/erasedpeople.js';
import { type ErasedFromDirectory, eraseFromDirectory, findTraces, type Traces } from '../../db/directory/erasure.js';
import { listFields } from '../../db/directory/fields.js';
import { countWrite, readWrites } from '../../db/directory/pair.js';
import { dropStages } from '../../db/stage.js';
import { digestErased } from '../../importer/read/erased.js';
import { emailKey, isEmail, labelKey } from '../../importer/read/normalize.js';
import { removePartials } from '../../storage/partials.js';
import { eraseBytes } from '../erasebytes.js';
import { OperationError } from '../error.js';
import { countBusyRuns } from '../identityrotation.js';
import type { Workplace } from '../workplace.js';
import { type ErasedFromFiles, eraseFromFiles } from './erasedfiles.js';
import { createRedactor, type Person } from './redact.js';

export interface Erasure {
  org: string;
  /** Names the erasure in the audit trail; nothing leads from it to the person. */
  receipt: string;
  /** Whether a user had the address. */
  wasUser: boolean;
  directory: ErasedFromDirectory;
  files: ErasedFromFiles;
  /** Interrupted uploads that were removed: they can't be searched. */
  partials: number;
  /** Whether the databases' own files no longer have the deleted values; false: they do until the server has stopped. */
  isErased: boolean;
}

/** The steps that a crash can separate. */
export type ErasureStep = 'searched' | 'deleted' | 'searched again' | 'recorded';

export interface ErasureOptions {
  /** The longest wait for an import in progress. */
  waitMs: number;
  removesUnsearched: boolean;
  onProgress?: (text: string) => void;
  onStep?: (step: ErasureStep) => void | Promise<void>;
}

const lookEveryMs = 250;
/** An interrupted upload that was cut off so long ago is not being resumed. */
const idlePartialMs = 15 * 60_000;

/**
 * @throws OperationError `not_found` when neither a user nor a file has the address; `refused` for the owner, the last active
 *   admin, and while an import is in progress
 */
export async function eraseUser(
  workplace: Workplace,
  orgId: string,
  email: string,
  options: ErasureOptions,
): Promise<Erasure> {
  const address = emailKey(email.trim());
  if (!isEmail(address)) throw new OperationError('usage', `"${email}" is not an email address`);
  const org = await keyedOrg(workplace, orgId);
  await requireErasable(workplace, org, address);
  const traces = await findTraces(workplace.directory.read, org.id, address, emailKey);
  const person = await describePerson(workplace, org, address, traces);
  const receipt = await receiptOf(workplace, org, address);

  const seen = new Set<string>();
  const search = async () => {
    await waitForRuns(workplace, org.id, options.waitMs);
    const fileOptions = { removesUnsearched: options.removesUnsearched, onProgress: tellSearched(options) };
    return eraseFromFiles(workplace, await workplace.org(org.id), person, fileOptions, seen);
  };
  const first = await search();
  await options.onStep?.('searched');
  const isKnown = traces !== null || receipt.isOld;
  if (!isKnown && first.rewritten === 0)
    throw new OperationError('not_found', `neither a user nor a file of ${org.id} has the address ${email.trim()}`);
  const directory = await eraseFromTables(workplace, org, person, traces, receipt.id);
  await options.onStep?.('deleted');
  // Files and reports that came while the first search was made.
  const second = await search();
  const partials = await dropUnfinished(workplace, org.id);
  await options.onStep?.('searched again');
  const files = {
    rewritten: first.rewritten + second.rewritten,
    removed: first.removed + second.removed,
    unsearched: [...first.unsearched, ...second.unsearched],
  };
  await recordReceipt(workplace, org, person, receipt.id, { directory, files, partials });
  await options.onStep?.('recorded');
  const isErased = await eraseBytes(workplace);
  return { org: org.id, receipt: receipt.id, wasUser: traces !== null, directory, files, partials, isErased };
}

/**
 * Allows files to create a person again who was erased. @param who an address of the person, or the identifier
 * @throws OperationError `not_found`
 */
export async function readmitUser(workplace: Workplace, orgId: string, who: string): Promise<{ receipt: string }> {
  const org = await workplace.org(orgId);
  const isAddress = who.includes('@');
  const value = isAddress ? emailKey(who.trim()) : who.trim();
  const digest = digestErased(org.erasureKey ?? '', org.id, isAddress ? 'address' : 'identifier', value);
  const receipt = await findErased(workplace.directory.read, org.id, digest);
  if (receipt === null)
    throw new OperationError(
      'not_found',
      `${org.id} has erased nobody with this ${isAddress ? 'address' : 'identifier'}`,
    );
  await workplace.directory.transact(async (tx) => {
    await bumpVersion(tx, org.id);
    await forgetErased(tx, org.id, receipt);
  });
  const { actor } = workplace;
  const event = { at: workplace.now(), org: org.id, actor, action: 'user.readmitted', subject: `erasure ${receipt}` };
  await recordAudit(workplace.control.write, { ...event, detail: {} });
  return { receipt };
}

/** The organization with a key for the digests of erased people; the first erasure makes it. */
async function keyedOrg(workplace: Workplace, orgId: string): Promise<Org> {
  await workplace.org(orgId);
  return workplace.control.transact(async (tx) => {
    const org = (await lockOrg(tx, orgId, true))!;
    if ((org.erasureKey ?? null) !== null) return org;
    const erasureKey = randomBytes(32).toString('hex');
    await updateOrg(tx, orgId, { erasureKey });
    return { ...org, erasureKey };
  });
}

async function requireErasable(workplace: Workplace, org: Org, address: string): Promise<void> {
  if (address === emailKey(org.ownerEmail))
    throw new OperationError(
      'refused',
      `this is the owner of ${org.id}: name another owner first: dropslot orgs set ${org.id} owner=EMAIL`,
    );
  const db = workplace.directory.read;
  const user = await readEditableUser(db, org.id, address);
  const isAdmin = user !== null && user.is_admin === 1 && user.status === 'active';
  if (isAdmin && !(await hasOtherAdmin(db, org.id, user.id)))
    throw new OperationError('refused', `this is the last active admin of ${org.id}: name another one first`);
}

async function describePerson(workplace: Workplace, org: Org, address: string, traces: Traces | null): Promise<Person> {
  const label = org.options.identifier;
  const fields = await listFields(workplace.directory.read, org.id);
  const field = fields.find((one) => label !== undefined && labelKey(one.label) === labelKey(label));
  const user = await readEditableUser(workplace.directory.read, org.id, address);
  return {
    addresses: traces?.addresses ?? [address],
    identifier: field === undefined ? null : (user?.custom[field.id] ?? null),
    names: traces?.names ?? [],
  };
}

/** A person who was erased before keeps the receipt, so that one `users readmit` allows them. */
async function receiptOf(workplace: Workplace, org: Org, address: string): Promise<{ id: string; isOld: boolean }> {
  const digest = digestErased(org.erasureKey!, org.id, 'address', address);
  const old = await findErased(workplace.directory.read, org.id, digest);
  return old === null ? { id: randomBytes(8).toString('hex'), isOld: false } : { id: old, isOld: true };
}

/** @throws OperationError `refused` when an import is in progress for longer than `waitMs`. */
async function waitForRuns(workplace: Workplace, org: string, waitMs: number): Promise<void> {
  const deadline = performance.now() + waitMs;
  while ((await countBusyRuns(workplace, org)) > 0) {
    if (performance.now() >= deadline)
      throw new OperationError(
        'refused',
        `an import of ${org} is in progress, and its reports are not finished: wait for its end, then repeat the command`,
      );
    await sleep(lookEveryMs);
  }
}

function tellSearched({ onProgress }: ErasureOptions): (searched: number) => void {
  return (searched) => {
    if (searched % 100 === 0) onProgress?.(`searched ${searched} files`);
  };
}

function eraseFromTables(
  workplace: Workplace,
  org: Org,
  { addresses, identifier }: Person,
  traces: Traces | null,
  receipt: string,
): Promise<ErasedFromDirectory> {
  const at = workplace.now();
  const digests = addresses.map((address) => digestErased(org.erasureKey!, org.id, 'address', address));
  if (identifier !== null) digests.push(digestErased(org.erasureKey!, org.id, 'identifier', identifier));
  const redact = createRedactor(addresses);
  const ownerKey = emailKey(org.ownerEmail);
  return workplace.directory.transact(async (tx) => {
    // Before the events, as an import does: two transactions must not wait for each other.
    await countWrite(tx);
    const erased = await eraseFromDirectory(tx, org.id, { traces, addresses, ownerKey, redact, at });
    await rememberErased(tx, org.id, digests, receipt, at);
    return erased;
  });
}

/** Stages of runs that ended, and uploads that were cut off: their content can't be searched. */
async function dropUnfinished(workplace: Workplace, org: string): Promise<number> {
  const { control, directory, paths, settings, now } = workplace;
  const stale = new Set<string>();
  await dropStages(settings, directory, (label) => {
    stale.add(label);
    return false;
  });
  const ended = new Set<string>();
  for (const label of stale) {
    const id = /^run_(\d+)_/.exec(label)?.[1];
    const run = id === undefined ? null : await findRun(control.read, Number(id));
    if (run?.org === org && run.state !== 'running') ended.add(label);
  }
  if (ended.size > 0) await dropStages(settings, directory, (label) => ended.has(label));
  const forgotten = await control.transact((tx) => forgetPartialsBefore(tx, org, now() - idlePartialMs));
  await removePartials(paths, forgotten);
  return forgotten.length;
}

/** Takes the address out of the organization's own row too; the receipt has numbers only. */
async function recordReceipt(
  workplace: Workplace,
  org: Org,
  { addresses }: Person,
  receipt: string,
  { directory, files, partials }: Pick<Erasure, 'directory' | 'files' | 'partials'>,
): Promise<void> {
  const { control, actor, now } = workplace;
  // A directory of a time before the erasure would have the person again.
  const writes = await readWrites(workplace.directory.read);
  await control.transact(async (tx) => {
    const { options, sftpRequest } = (await lockOrg(tx, org.id, true))!;
    const isErased = (email: string) => addresses.includes(emailKey(email));
    const kept = options.protected?.filter((email) => !isErased(email));
    if (kept !== undefined && kept.length !== options.protected!.length) {
      const { protected: _, ...others } = options;
      await updateOrg(tx, org.id, { options: kept.length === 0 ? others : { ...others, protected: kept } });
    }
    if (sftpRequest !== null && isErased(sftpRequest.by))
      await updateOrg(tx, org.id, { sftpRequest: { at: sftpRequest.at, by: '(erased)' } });
    const { rewritten, removed, unsearched } = files;
    const detail = { ...directory, rewritten, removed, unsearched: unsearched.length, partials };
    const event = { at: now(), org: org.id, actor, action: 'user.erased', subject: `erasure ${receipt}` };
    await recordAudit(tx, { ...event, detail });
    await noteDirectoryWrites(tx, writes);
  });
}
