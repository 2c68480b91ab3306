/** Compares the organizations of a file with those that exist: their settings, keys, access and notifications. */

import type { LoginKey, LoginKeyChange } from '../../db/control/keys.js';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { type ParsedKey, parsePublicKeys } from '../../keys/login/publickeys.js';
import { listKeysByOrg } from '../byorg.js';
import { OperationError } from '../error.js';
import { type KeyTerms, readKeyChange, stateOfKey } from '../keyterms.js';
import { addKeys, revokeKey, setKey } from '../loginkeys.js';
import { removeNotification, setNotification } from '../notify.js';
import { listNotifications, readEvents } from '../notifyaddress.js';
import { addNotification } from '../notifycode.js';
import { addOrganization, disableOrganization, enableOrganization, setOrganization } from '../orgs.js';
import {
  fieldDefaults,
  listSettings,
  type OrgFields,
  readOrgFields,
  type SettingValue,
  toSettingName,
} from '../orgsettings/orgsettings.js';
import { requestSftp } from '../sftpaccess.js';
import type { Workplace } from '../workplace.js';
import { at, type Change } from './change.js';
import type { KeySetup, NotificationSetup, OrgSetup } from './document.js';
import { compareProvider } from './provider.js';

/** @param prune also what the file does not name. @throws OperationError `usage`, with the place in the file */
export async function compareOrgs(place: Workplace, setups: readonly OrgSetup[], prune: boolean): Promise<Change[]> {
  const orgs = new Map((await listOrgs(place.control.read)).map((org) => [org.id, org]));
  const keysOf = await listKeysByOrg(
    place,
    setups.map(({ id }) => id),
  );
  const changes: Change[] = [];
  for (const setup of setups) {
    const state = { org: orgs.get(setup.id) ?? null, keys: keysOf(setup.id) };
    changes.push(...(await compareOrg(place, setup, state, prune)));
  }
  return changes;
}

interface OrgState {
  /** null: there is none yet. */
  org: Org | null;
  keys: readonly LoginKey[];
}

async function compareOrg(
  place: Workplace,
  setup: OrgSetup,
  { org, keys }: OrgState,
  prune: boolean,
): Promise<Change[]> {
  const { id, settings } = setup;
  const where = `organizations.${id}`;
  const fields = await at(`${where}.settings`, () => readOrgFields(settings));
  const changes = org === null ? [await addOrg(place, setup, fields)] : compareSettings(place, org, settings, prune);
  const timeZone = fields.timeZone ?? org?.timeZone ?? fieldDefaults.timeZone;
  if (setup.keys !== null) changes.push(...(await compareKeys(place, setup, keys, timeZone, prune)));
  const isEnabled = org?.enabled ?? false;
  if (setup.enabled !== null && setup.enabled !== isEnabled) changes.push(switchAccess(place, id, setup.enabled));
  if (setup.provider !== null) changes.push(...(await compareProvider(place, id, setup.provider, prune)));
  // Last: it needs a mail server, which may be away.
  if (setup.notifications !== null)
    changes.push(...(await compareNotifications(place, id, org === null, setup.notifications, prune)));
  return changes;
}

async function addOrg(place: Workplace, { id, settings }: OrgSetup, fields: OrgFields): Promise<Change> {
  const { ownerEmail, limits, options, ...plain } = fields;
  if (ownerEmail === undefined)
    throw new OperationError('usage', `organizations.${id}.settings.owner is missing: a new organization needs it`);
  const given = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  const act = async () => {
    const { madeMasterKey } = await addOrganization(place, id, { ...plain, ownerEmail }, false);
    if (limits !== undefined || options !== undefined)
      await setOrganization(place, id, { ...(limits && { limits }), ...(options && { options }) });
    return madeMasterKey === null ? null : `Made the master key: back up ${madeMasterKey} now, apart from the data.`;
  };
  return { org: id, sign: '+', text: `organization, with ${given.join(', ')}`, act };
}

/** One change for each setting, for people; the first one makes all, so that they are stored together or not at all. */
function compareSettings(place: Workplace, org: Org, wanted: Record<string, string>, prune: boolean): Change[] {
  // Compared as `orgs set` would store them: 02:00,02:00 is 02:00.
  const then = listSettings(withFields(org, readOrgFields(wanted)), place.settings);
  const given = new Map(Object.entries(wanted).map(([name, text]) => [toSettingName(name), text]));
  const values: Record<string, string> = {};
  const notes: string[] = [];
  let isMade = false;
  const act = async () => {
    if (isMade) return null;
    isMade = true;
    const options = { createOwner: true, note: (sentence: string) => notes.push(sentence) };
    await setOrganization(place, org.id, readOrgFields(values), options);
    return notes.length === 0 ? null : notes.join(' ');
  };
  return listSettings(org, place.settings).flatMap((before, index): Change[] => {
    const { name, takesDefault } = before.setting;
    const value = given.get(name) ?? (prune && takesDefault && !isUsual(before) ? 'default' : null);
    if (value === null) return [];
    const after = given.has(name) ? then[index]! : { text: 'default', isDefault: true };
    if (given.has(name) && after.text === before.text && after.isDefault === before.isDefault) return [];
    values[name] = value;
    const text = `${name}: ${before.text || '(none)'} → ${after.text || '(none)'}`;
    return [{ org: org.id, sign: given.has(name) ? '~' : '-', text, act }];
  });
}

/** Whether a setting has its default, also where that is stored as a value. */
export function isUsual({ setting, text, isDefault }: SettingValue): boolean {
  return isDefault || text === setting.default;
}

/** The organization as it would be, for the comparison alone. */
function withFields(org: Org, { limits = {}, options = {}, ...plain }: OrgFields): Org {
  const merge = (before: object, change: object) =>
    Object.fromEntries(
      Object.entries({ ...before, ...change }).filter(([, value]) => value !== null && value !== undefined),
    );
  return { ...org, ...plain, limits: merge(org.limits, limits), options: merge(org.options, options) } as Org;
}

function switchAccess(place: Workplace, id: string, enabled: boolean): Change {
  const act = async () => {
    const org = await place.org(id);
    // As with `orgs add --enable`: the file says that the owner asked.
    if (enabled && org.sftpRequest === null) await requestSftp(place, id, org.ownerEmail);
    await (enabled ? enableOrganization : disableOrganization)(place, id);
    return null;
  };
  return { org: id, sign: '~', text: enabled ? 'SFTP access: enabled' : 'SFTP access: disabled', act };
}

async function compareKeys(
  place: Workplace,
  { id, keys }: OrgSetup,
  known: readonly LoginKey[],
  timeZone: string,
  prune: boolean,
): Promise<Change[]> {
  const existing = new Map(known.map((key) => [key.fingerprint, key]));
  const changes: Change[] = [];
  const named = new Set<string>();
  for (const setup of keys!) {
    const parsed = findSame(setup, known) ?? (await at(setup.where, () => readOneKey(setup, timeZone)));
    if (named.has(parsed.fingerprint))
      throw new OperationError('usage', `${setup.where}: the file has the key ${parsed.fingerprint} of ${id} twice`);
    named.add(parsed.fingerprint);
    const terms = await at(setup.where, () => readKeyChange(toAssignments(setup.terms), timeZone, 0));
    const key = existing.get(parsed.fingerprint);
    const change =
      key === undefined ? addOneKey(place, id, setup, parsed, terms) : changeKey(place, id, setup, key, terms);
    if (change !== null) changes.push(change);
  }
  for (const key of prune ? existing.values() : []) {
    const isLive = ['usable', 'pending'].includes(stateOfKey(key, place.now()));
    // A file of keys.d manages its own; a password can't be in the file.
    if (named.has(key.fingerprint) || !isLive || key.managedBy !== null || key.kind === 'password') continue;
    const act = async () => revokeKey(place, id, key.fingerprint).then(() => null);
    changes.push({ org: id, sign: '-', text: `key ${describeKey(key)}: revoked`, act });
  }
  return changes;
}

/** A key as `export-config` wrote it, and that exists: reading it again takes a millisecond. undefined: it is another one, or in another form. */
function findSame({ key }: KeySetup, known: readonly LoginKey[]): { fingerprint: string; comment: string } | undefined {
  const same = known.find(({ algorithm, publicKey }) => publicKey !== '' && key === `${algorithm} ${publicKey}`);
  return same && { fingerprint: same.fingerprint, comment: '' };
}

function readOneKey({ key }: KeySetup, timeZone: string): ParsedKey {
  const parsed = parsePublicKeys(key, { timeZone });
  if (parsed.length !== 1) throw new OperationError('usage', `"key" must have one public key, not ${parsed.length}`);
  return parsed[0]!;
}

function addOneKey(
  place: Workplace,
  id: string,
  setup: KeySetup,
  parsed: Pick<ParsedKey, 'fingerprint' | 'comment'>,
  wanted: LoginKeyChange,
): Change {
  const given = Object.entries(wanted).filter(([, value]) => value !== null);
  const terms = Object.fromEntries(given) as KeyTerms;
  if (terms.expiresAt !== undefined && terms.expiresAt <= place.now())
    throw new OperationError('usage', `${setup.where}.expires is in the past: the key could never be used`);
  const act = async () => {
    await addKeys(place, id, setup.key, terms, { isAuthority: setup.isAuthority });
    return null;
  };
  const label = terms.label ?? parsed.comment;
  return { org: id, sign: '+', text: `key ${describeKey({ fingerprint: parsed.fingerprint, label })}`, act };
}

/** null: it is as the file says. */
function changeKey(
  place: Workplace,
  id: string,
  setup: KeySetup,
  key: LoginKey,
  wanted: LoginKeyChange,
): Change | null {
  if (key.revokedAt !== null)
    throw new OperationError(
      'refused',
      `${setup.where}: the key ${key.fingerprint} of ${id} was revoked; take it out of the file`,
    );
  const differing = Object.entries(wanted).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(key[name as keyof LoginKey]),
  );
  if (differing.length === 0) return null;
  const act = async () => setKey(place, id, key.fingerprint, Object.fromEntries(differing)).then(() => null);
  const names = differing.map(([name]) => name).join(', ');
  return { org: id, sign: '~', text: `key ${describeKey(key)}: ${names}`, act };
}

/** The words of `keys set` for terms that are absent. */
const absent: Readonly<Record<string, string>> = {
  notBefore: 'now',
  expires: 'never',
  from: 'any',
  principals: 'default',
};

function toAssignments(terms: KeySetup['terms']): string[] {
  return Object.entries(terms).map(([name, value]) => `${name}=${value ?? absent[name] ?? ''}`);
}

function describeKey({ fingerprint, label }: Pick<LoginKey, 'fingerprint' | 'label'>): string {
  return label === '' ? fingerprint : `${fingerprint} "${label}"`;
}

async function compareNotifications(
  place: Workplace,
  id: string,
  isNew: boolean,
  setups: readonly NotificationSetup[],
  prune: boolean,
): Promise<Change[]> {
  const existing = isNew ? [] : await listNotifications(place, id);
  const changes: Change[] = [];
  for (const { address, events } of setups) {
    const wanted = events === null ? null : await at(`organizations.${id}.notifications`, () => readEvents(events));
    const found = existing.find((one) => one.address.toLowerCase() === address.trim().toLowerCase());
    if (found === undefined) {
      const act = async () => {
        await addNotification(place, id, address, events ?? undefined);
        return `${address} got a mail with a code: dropslot notify confirm ${id} ${address} CODE`;
      };
      changes.push({ org: id, sign: '+', text: `mail to ${address}`, act });
    } else if (wanted !== null && [...wanted].sort().join() !== [...found.events].sort().join()) {
      const act = async () => setNotification(place, id, address, wanted.join(',')).then(() => null);
      changes.push({
        org: id,
        sign: '~',
        text: `mail to ${address}: ${found.events.join(',')} → ${wanted.join(',')}`,
        act,
      });
    }
  }
  const named = setups.map(({ address }) => address.trim().toLowerCase());
  for (const { address } of prune ? existing.filter((one) => !named.includes(one.address.toLowerCase())) : []) {
    const act = async () => removeNotification(place, id, address).then(() => null);
    changes.push({ org: id, sign: '-', text: `mail to ${address}`, act });
  }
  return changes;
}
