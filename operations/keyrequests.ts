/** Changes of login keys by an organization's people, where its setting `keyChanges` asks for an operator's yes. */
import type { Queryable } from '../db/connection.js';
import { recordAudit } from '../db/control/audit.js';
import {
  deleteKeyRequest,
  insertKeyRequest,
  type KeyRequest,
  type KeyRequestKind,
  listKeyRequests,
} from '../db/control/keyrequests.js';
import type { Org } from '../db/control/orgs.js';
import { parsePublicKeys } from '../keys/login/publickeys.js';
import { OperationError } from './error.js';
import { requiresYes } from './keychanges.js';
import { rotateKeys } from './loginkeyrotation.js';
import { type AddOptions, addKeys, findKey, setKey } from './loginkeys.js';
import type { Workplace } from './workplace.js';

export type { KeyRequestKind } from '../db/control/keyrequests.js';

const mostOpen = 10;
const mostText = 16 * 1024;

/** A change that a person wants. */
export interface KeyChange {
  kind: KeyRequestKind;
  /** The public key; of `addresses` the fingerprint of the key. */
  key: string;
  label?: string | undefined;
  /** CIDRs; empty: every address. */
  sources?: string[] | undefined;
  /** Of `replace`: how long the other keys still work. */
  graceMs?: number | undefined;
}

export interface WaitingChange extends KeyChange {
  id: number;
  org: string;
  /** Fingerprints of the keys. */
  fingerprints: string[];
  by: string;
  at: number;
}

/** Carries the change out, or keeps it for an operator where the organization asks for that. @throws OperationError, KeyError */
export async function changeKeys(place: Workplace, orgId: string, change: KeyChange): Promise<'done' | 'requested'> {
  const org = await place.org(orgId);
  if (requiresYes(place, org)) {
    await request(place, org, change);
    return 'requested';
  }
  await carryOut(place, org.id, change);
  return 'done';
}

async function carryOut(
  place: Workplace,
  org: string,
  change: KeyChange,
  { addedBy, first }: Pick<AddOptions, 'addedBy' | 'first'> = {},
): Promise<void> {
  const { kind, key, label, sources, graceMs = 0 } = change;
  const terms = { ...(label !== undefined && { label }), ...(sources !== undefined && { sources }) };
  if (kind === 'addresses') await setKey(place, org, key, { sources: sources ?? [] }, false, first);
  else if (kind === 'add') await addKeys(place, org, key, terms, { addedBy, first });
  else await rotateKeys(place, org, key, terms, { graceMs, replaces: [], managed: false, addedBy, first });
}

async function request(place: Workplace, org: Org, change: KeyChange): Promise<void> {
  const { control, actor, now } = place;
  if (change.key.length > mostText) throw new OperationError('usage', 'this is longer than a public key');
  const subjects = await fingerprintsOf(place, org, change);
  await control.transact(async (tx) => {
    if ((await listKeyRequests(tx, org.id)).length >= mostOpen)
      throw new OperationError(
        'refused',
        `${mostOpen} changes of keys wait already: ask your operator to decide about them`,
      );
    const id = await insertKeyRequest(tx, { org: org.id, kind: change.kind, detail: change, by: actor, at: now() });
    const event = { at: now(), org: org.id, actor, action: 'key.requested', subject: subjects.join(' ') };
    await recordAudit(tx, { ...event, detail: { request: id, kind: change.kind, sources: change.sources ?? null } });
  });
}

/** @throws KeyError, OperationError for a change that could never be carried out */
async function fingerprintsOf(place: Workplace, org: Org, { kind, key }: KeyChange): Promise<string[]> {
  if (kind === 'addresses') return [(await findKey(place, org, key)).fingerprint];
  return parsePublicKeys(key, { timeZone: org.timeZone }).map(({ fingerprint }) => fingerprint);
}

/** The changes of an organization, or of all, that wait for an operator, oldest first. @throws OperationError `not_found` */
export async function listWaitingChanges(place: Workplace, orgId?: string): Promise<WaitingChange[]> {
  const id = orgId === undefined ? undefined : (await place.org(orgId)).id;
  const all = await listKeyRequests(place.control.read, id);
  return all.map(({ id: number, org, by, at, detail }) => {
    const change = detail as KeyChange;
    const isKey = change.kind !== 'addresses';
    const fingerprints = isKey ? parsePublicKeys(change.key).map(({ fingerprint }) => fingerprint) : [change.key];
    return { ...change, id: number, org, by, at, fingerprints };
  });
}

/** An operator's yes or no. The key counts as added by the person who asked. @throws OperationError; KeyError */
export async function decideChange(place: Workplace, orgId: string, id: number, isYes: boolean): Promise<void> {
  const org = await place.org(orgId);
  if (place.isOfOrg === true)
    throw new OperationError('refused', `operators decide about changes of keys of ${org.id}`);
  const { control, actor, now } = place;
  const found = await findRequest(place, org.id, id);
  const change = found.detail as KeyChange;
  // In one transaction with the change: of two decisions one counts, and a request stays until it was carried out.
  const settle = async (tx: Queryable) => {
    if (!(await deleteKeyRequest(tx, org.id, id)))
      throw new OperationError('refused', 'this change of keys was decided meanwhile: look at the keys again');
    const action = isYes ? 'key.request_approved' : 'key.request_denied';
    const event = { at: now(), org: org.id, actor, action, subject: `request ${id}` };
    await recordAudit(tx, { ...event, detail: { kind: change.kind, by: found.by } });
  };
  if (isYes) await carryOut(place, org.id, change, { addedBy: found.by, first: settle });
  else await control.transact(settle);
}

async function findRequest({ control }: Workplace, org: string, id: number): Promise<KeyRequest> {
  const found = (await listKeyRequests(control.read, org)).find((one) => one.id === id);
  if (found === undefined) throw new OperationError('not_found', 'this change of keys no longer waits');
  return found;
}
