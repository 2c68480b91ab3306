/**
 * Erases everything about a person: directory, history, reports, archives and files that wait. The receipt in the audit trail
 * names nobody. Killed at any line, the next call continues, and knows the person until the end; called twice, it finds nothing
 * the second time.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { recordAudit } from '../../db/control/audit.js';
import { redactRuns, renameMentions } from '../../db/control/erasednames.js';
import { lockOrg, type Org, updateOrg } from '../../db/control/orgs.js';
import { noteDirectoryWrites } from '../../db/control/pair.js';
import { forgetPartialsBefore } from '../../db/control/partials.js';
import { findRun } from '../../db/control/runs.js';
import { bumpVersion } from '../../db/directory/directory.js';
import { hasOtherAdmin, readEditableUser } from '../../db/directory/edits.js';
import { findErased, findErasedAny, forgetErased, rememberErased } from '../../db/directory/erasedpeople.js';
import { type ErasedFromDirectory, eraseFromDirectory, findTraces, type Traces } from '../../db/directory/erasure.js';
import { listFields } from '../../db/directory/fields.js';
import { countWrite, readWrites } from '../../db/directory/pair.js';
import { dropPending, findPending, keepPending, type PendingErasure } from '../../db/directory/pendingerasures.js';
import { inScript } from '../../db/script.js';
import { dropStages } from '../../db/stage.js';
import { digestErased } from '../../importer/read/erased.js';
import { emailKey, isEmail, labelKey } from '../../importer/read/normalize.js';
import { removePartials } from '../../storage/partials.js';
import { eraseBytes } from '../erasebytes.js';
import { OperationError } from '../error.js';
import { countBusyRuns } from '../identityrotation.js';
import type { Workplace } from '../workplace.js';
import { type ErasedFromFiles, eraseFromFiles } from './erasedfiles.js';
import { createPathRedactor, createRecordRedactor, createValueRedactor, type Person } from './redact.js';

export interface Erasure {
  org: string;
  /** Names the erasure in the audit trail; nothing leads from it to the person. */
  receipt: string;
  /** Whether a user had the address. */
  wasUser: boolean;
  directory: ErasedFromDirectory;
  files: ErasedFromFiles;
  /** Names of files and folders, and records of runs, that had the person. */
  names: ErasedNames;
  /** Interrupted uploads that were removed: they can't be searched. */
  partials: number;
  /** Whether the databases' own files no longer have the deleted values; false: they do until the server has stopped. */
  isErased: boolean;
}

/** The steps that a crash can separate. */
export type ErasureStep = 'searched' | 'deleted' | 'searched again' | 'recorded';

export interface ErasedNames {
  renamed: number;
  runs: number;
}

export interface ErasureOptions {
  /** Texts that mean the person, beside the addresses and the identifier: removed from free text and from names of files. */
  texts?: readonly string[];
  /** The longest wait for an import in progress. */
  waitMs: number;
  removesUnsearched: boolean;
  onProgress?: (text: string) => void;
  /** Called once, before files are searched. */
  onReceipt?: (receipt: string) => void;
  onStep?: (step: ErasureStep) => void | Promise<void>;
}

const lookEveryMs = 250;
/** A text of free text to remove has at least so many letters and digits. */
const leastLetters = 3;
/** An interrupted upload that was cut off so long ago is not being resumed. */
const idlePartialMs = 15 * 60_000;

/**
 * @param who an address of the person, or the receipt of an erasure that was interrupted
 * @throws OperationError `not_found` when neither a user nor a file has the address; `refused` for the owner, the last active
 *   admin, and while an import is in progress
 */
export async function eraseUser(
  workplace: Workplace,
  orgId: string,
  who: string,
  options: ErasureOptions,
): Promise<Erasure> {
  refuseShort(options.texts ?? []);
  const address = await readWho(workplace, orgId, who.trim());
  const org = await keyedOrg(workplace, orgId);
  await requireErasable(workplace, org, address);
  const traces = await findTraces(workplace.directory.read, org.id, address, emailKey);
  const receipt = await receiptOf(workplace, org, address);
  options.onReceipt?.(receipt.id);
  const pending = await findPending(workplace.directory.read, org.id, receipt.id);
  const person = joinPeople(
    await describePerson(workplace, org, address, traces, options.texts ?? [], receipt.id),
    pending,
  );

  const seen = new Set<string>();
  const search = async () => {
    await waitForRuns(workplace, org.id, options.waitMs);
    const fileOptions = { removesUnsearched: options.removesUnsearched, onProgress: tellSearched(options) };
    const files = await eraseFromFiles(workplace, await workplace.org(org.id), person, fileOptions, seen);
    return { ...files, ...(await eraseNames(workplace, org.id, person)) };
  };
  const first = await search();
  await options.onStep?.('searched');
  const isKnown = traces !== null || receipt.isOld;
  if (!isKnown && first.rewritten + first.renamed + first.runs === 0)
    throw new OperationError('not_found', `neither a user nor a file of ${org.id} has the address ${who.trim()}`);
  const { id, directory } = await eraseFromTables(workplace, org, person, traces, receipt.id);
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
  const names = { renamed: first.renamed + second.renamed, runs: first.runs + second.runs };
  await recordReceipt(workplace, org, person, id, { directory, files, names, partials });
  await options.onStep?.('recorded');
  await dropPending(workplace.directory.write, org.id, id);
  const isErased = await eraseBytes(workplace);
  return { org: org.id, receipt: id, wasUser: traces !== null, directory, files, names, partials, isErased };
}

/** @throws OperationError `usage` */
function refuseShort(texts: readonly string[]): void {
  const short = texts.find((text) => text.replace(/[^\p{L}\p{N}]/gu, '').length < leastLetters);
  if (short !== undefined)
    throw new OperationError('usage', `the text "${short}" is too short: it would be found in other words`);
}

/** The address that the operator gave, or that the interrupted erasure with this receipt has. @throws OperationError */
async function readWho(workplace: Workplace, orgId: string, who: string): Promise<string> {
  if (/^[0-9a-f]{16}$/.test(who)) {
    const pending = await findPending(workplace.directory.read, (await workplace.org(orgId)).id, who);
    if (pending === null) throw new OperationError('not_found', `${orgId} has no interrupted erasure ${who}`);
    return readPerson(pending).addresses[0]!;
  }
  const address = emailKey(who);
  if (!isEmail(address)) throw new OperationError('usage', `"${who}" is not an email address`);
  return address;
}

function readPerson({ person }: PendingErasure): Person {
  return JSON.parse(person);
}

/** The person with all that an earlier, interrupted call knew of them. */
function joinPeople(person: Person, pending: PendingErasure | null): Person {
  if (pending === null) return person;
  const before = readPerson(pending);
  const join = (key: 'addresses' | 'names' | 'texts') => [...new Set([...person[key], ...before[key]])];
  const lists = { addresses: join('addresses'), names: join('names'), texts: join('texts') };
  return { ...lists, identifier: person.identifier ?? before.identifier, mark: person.mark };
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
  if ((await findPending(workplace.directory.read, org.id, receipt)) !== null)
    throw new OperationError(
      'refused',
      `erasure ${receipt} was interrupted: finish it first: dropslot users erase ${org.id} ${receipt} --yes`,
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

async function describePerson(
  workplace: Workplace,
  org: Org,
  address: string,
  traces: Traces | null,
  texts: readonly string[],
  receipt: string,
): Promise<Person> {
  const label = org.options.identifier;
  const fields = await listFields(workplace.directory.read, org.id);
  const field = fields.find((one) => label !== undefined && labelKey(one.label) === labelKey(label));
  const user = await readEditableUser(workplace.directory.read, org.id, address);
  return {
    addresses: traces?.addresses ?? [address],
    identifier: field === undefined ? null : (user?.custom[field.id] ?? null),
    names: traces?.names ?? [],
    texts,
    // With the receipt two erasures do not meet in one name.
    mark: `erased-${receipt}`,
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

function eraseNames({ control }: Workplace, org: string, person: Person): Promise<ErasedNames> {
  const ofPath = createPathRedactor(person);
  const ofText = createRecordRedactor(person);
  return control.transact(async (tx) => ({
    renamed: await renameMentions(tx, org, ofPath),
    runs: await redactRuns(tx, org, { ofPath, ofText }),
  }));
}

function eraseFromTables(
  workplace: Workplace,
  org: Org,
  person: Person,
  traces: Traces | null,
  receipt: string,
): Promise<{ id: string; directory: ErasedFromDirectory }> {
  const { addresses, identifier, texts } = person;
  const at = workplace.now();
  const ofAddresses = addresses.map((address) => digestErased(org.erasureKey!, org.id, 'address', address));
  const ofIdentifier = identifier === null ? [] : [digestErased(org.erasureKey!, org.id, 'identifier', identifier)];
  const digests = [...ofAddresses, ...ofIdentifier];
  const redact = createValueRedactor(person);
  const ownerKey = emailKey(org.ownerEmail);
  return workplace.directory.transact(async (tx) => {
    // Before the events, as an import does: two transactions must not wait for each other.
    await inScript(tx, countWrite);
    // Another server may have erased the person since: one "users readmit" must allow them.
    const id = (await findErasedAny(tx, org.id, ofAddresses)) ?? receipt;
    const erased = await eraseFromDirectory(tx, org.id, { traces, addresses, texts, ownerKey, redact, at });
    await rememberErased(tx, org.id, digests, id, at);
    const known = joinPeople(person, await findPending(tx, org.id, id));
    await keepPending(tx, org.id, { receipt: id, person: JSON.stringify(known), at });
    return { id, directory: erased };
  });
}

/** Stages of runs that ended, and uploads that were cut off: their content can't be searched. */
async function dropUnfinished(workplace: Workplace, org: string): Promise<number> {
  const { control, directory, settings, now } = workplace;
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
  await removePartials(workplace, forgotten);
  return forgotten.length;
}

/** Takes the address out of the organization's own row too; the receipt has numbers only. */
async function recordReceipt(
  workplace: Workplace,
  org: Org,
  { addresses }: Person,
  receipt: string,
  { directory, files, names, partials }: Pick<Erasure, 'directory' | 'files' | 'names' | 'partials'>,
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
    const detail = { ...directory, rewritten, removed, unsearched: unsearched.length, ...names, partials };
    const event = { at: now(), org: org.id, actor, action: 'user.erased', subject: `erasure ${receipt}` };
    await recordAudit(tx, { ...event, detail });
    await inScript(tx, (script) => noteDirectoryWrites(script, writes));
  });
}
