/**
 * Erases everything about a person: directory, history, reports, archives and files that wait. The receipt in the audit trail
 * names nobody. Killed at any line, the next call continues, and knows the person until the end; called twice, it finds nothing
 * the second time.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Queryable } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';
import { redactRuns, renameMentions } from '../../db/control/erasednames.js';
import { type Org, updateOrg } from '../../db/control/orgs.js';
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
import { lockOrganization, type Workplace } from '../workplace.js';
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
/** Imports that begin again and again do not keep an erasure from its end. */
const mostSearches = 20;
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
  const known = await readErasable(workplace.directory.read, org, address, null);
  const receipt = await receiptOf(workplace, org, address);
  options.onReceipt?.(receipt.id);
  const pending = await findPending(workplace.directory.read, org.id, receipt.id);
  let person = joinPending(describePerson(address, known, options.texts ?? [], receipt.id), pending);

  const files: ErasedFromFiles = { rewritten: 0, removed: 0, unsearched: [] };
  const names: ErasedNames = { renamed: 0, runs: 0 };
  const seen = new Set<string>();
  /** Whether every file was free to be searched. */
  const search = async (): Promise<boolean> => {
    await waitForRuns(workplace, org.id, options.waitMs);
    const fileOptions = { removesUnsearched: options.removesUnsearched, onProgress: tellSearched(options) };
    const isWhole = await eraseFromFiles(workplace, await workplace.org(org.id), person, fileOptions, seen, files);
    const { renamed, runs } = await eraseNames(workplace, org.id, person);
    names.renamed += renamed;
    names.runs += runs;
    return isWhole;
  };
  await search();
  await options.onStep?.('searched');
  const isKnown = known.traces !== null || receipt.isOld;
  if (!isKnown && files.rewritten + names.renamed + names.runs === 0)
    throw new OperationError('not_found', `neither a user nor a file of ${org.id} has the address ${who.trim()}`);
  const erased = await eraseFromTables(workplace, org, person, { address, known, receipt: receipt.id });
  const { id, directory } = erased;
  person = erased.person;
  if (erased.isMore) {
    // Files that were searched may mention the person by a name or an address that an import has brought since.
    seen.clear();
    files.unsearched = [];
  }
  await options.onStep?.('deleted');
  // Files and reports that came while the first search was made. One that a run takes from it is searched after that run.
  let searches = 1;
  while (!(await search())) if (++searches > mostSearches) throw stillImporting(org.id);
  const partials = await dropUnfinished(workplace, org.id);
  await options.onStep?.('searched again');
  await recordReceipt(workplace, org, person, id, { directory, files, names, partials });
  await options.onStep?.('recorded');
  await dropPending(workplace.directory.write, org.id, id);
  const isErased = await eraseBytes(workplace);
  return { org: org.id, receipt: id, wasUser: erased.wasUser, directory, files, names, partials, isErased };
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
function joinPending(person: Person, pending: PendingErasure | null): Person {
  return pending === null ? person : joinPeople(person, readPerson(pending));
}

/** The person with all that was known of them before. */
function joinPeople(person: Person, before: Person): Person {
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
    const org = await lockOrganization(tx, orgId);
    if ((org.erasureKey ?? null) !== null) return org;
    const erasureKey = randomBytes(32).toString('hex');
    await updateOrg(tx, orgId, { erasureKey });
    return { ...org, erasureKey };
  });
}

/** A person as the directory has them at one moment. */
interface Known {
  /** null: no user has the address. */
  traces: Traces | null;
  identifier: string | null;
}

/**
 * @param before the user who had the address when the search began, who may have another one now; null: none had it, or it begins now
 * @throws OperationError `refused`
 */
async function readErasable(db: Queryable, org: Org, address: string, before: number | null): Promise<Known> {
  const holder = await readEditableUser(db, org.id, address);
  if (before !== null && holder !== null && holder.id !== before)
    throw new OperationError(
      'refused',
      `another user of ${org.id} was given this address meanwhile: look at both users, and repeat the command with the present address of the one to erase`,
    );
  const traces = await findTraces(db, org.id, before === null ? { email_key: address } : { id: before }, emailKey);
  const user = traces === null ? null : await readEditableUser(db, org.id, traces.addresses[0]!);
  if ([address, user?.email_key].includes(emailKey(org.ownerEmail)))
    throw new OperationError(
      'refused',
      `this is the owner of ${org.id}: name another owner first: dropslot orgs set ${org.id} owner=EMAIL`,
    );
  const isAdmin = user !== null && user.is_admin === 1 && user.status === 'active';
  if (isAdmin && !(await hasOtherAdmin(db, org.id, user.id)))
    throw new OperationError('refused', `this is the last active admin of ${org.id}: name another one first`);
  const label = org.options.identifier;
  const fields = await listFields(db, org.id);
  const field = fields.find((one) => label !== undefined && labelKey(one.label) === labelKey(label));
  return { traces, identifier: field === undefined ? null : (user?.custom[field.id] ?? null) };
}

function describePerson(
  address: string,
  { traces, identifier }: Known,
  texts: readonly string[],
  receipt: string,
): Person {
  return {
    addresses: traces?.addresses ?? [address],
    identifier,
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
    if (performance.now() >= deadline) throw stillImporting(org);
    await sleep(lookEveryMs);
  }
}

function stillImporting(org: string): OperationError {
  return new OperationError(
    'refused',
    `an import of ${org} is in progress, and its reports are not finished: wait for its end, then repeat the command`,
  );
}

function tellSearched({ onProgress }: ErasureOptions): (searched: number) => void {
  return (searched) => {
    if (searched % 100 === 0) onProgress?.(`searched ${searched} files`);
  };
}

/** In two transactions: a run that ends holds its row before it takes names. */
async function eraseNames({ control }: Workplace, org: string, person: Person): Promise<ErasedNames> {
  const ofPath = createPathRedactor(person);
  const ofText = createRecordRedactor(person);
  return {
    renamed: await control.transact((tx) => renameMentions(tx, org, ofPath)),
    runs: await control.transact((tx) => redactRuns(tx, org, { ofPath, ofText })),
  };
}

interface ErasedFromTables {
  /** The receipt: that of an earlier erasure, where there is one. */
  id: string;
  directory: ErasedFromDirectory;
  person: Person;
  /** Whether more is known of the person than when the search for files began. */
  isMore: boolean;
  wasUser: boolean;
}

function eraseFromTables(
  workplace: Workplace,
  org: Org,
  searched: Person,
  { address, known, receipt }: { address: string; known: Known; receipt: string },
): Promise<ErasedFromTables> {
  const at = workplace.now();
  const digest = (kind: 'address' | 'identifier', value: string) => digestErased(org.erasureKey!, org.id, kind, value);
  return workplace.directory.transact(async (tx) => {
    // Nothing else writes to this directory from here on. The search took its time: an import may have made or renamed the user since.
    await bumpVersion(tx, org.id);
    const present = await workplace.org(org.id);
    const latest = await readErasable(tx, present, address, known.traces?.id ?? null);
    const person = joinPeople(describePerson(address, latest, searched.texts, receipt), searched);
    const { addresses, texts } = person;
    const ofAddresses = addresses.map((one) => digest('address', one));
    const identifiers = [person.identifier, searched.identifier].filter((one) => one !== null);
    // Before the events, as an import does: two transactions must not wait for each other.
    await inScript(tx, countWrite);
    // Another server may have erased the person since: one "users readmit" must allow them.
    const id = (await findErasedAny(tx, org.id, ofAddresses)) ?? receipt;
    const redact = createValueRedactor(person);
    const ownerKey = emailKey(present.ownerEmail);
    const { traces } = latest;
    const directory = await eraseFromDirectory(tx, org.id, { traces, addresses, texts, ownerKey, redact, at });
    const digests = [...ofAddresses, ...identifiers.map((one) => digest('identifier', one))];
    await rememberErased(tx, org.id, digests, id, at);
    const pending = joinPending(person, await findPending(tx, org.id, id));
    await keepPending(tx, org.id, { receipt: id, person: JSON.stringify(pending), at });
    const hasMore = (key: 'addresses' | 'names') => person[key].length > searched[key].length;
    const isMore = hasMore('addresses') || hasMore('names') || person.identifier !== searched.identifier;
    return { id, directory, person, isMore, wasUser: known.traces !== null || traces !== null };
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
    const { options, sftpRequest } = await lockOrganization(tx, org.id);
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
