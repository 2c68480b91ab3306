/** Reads the file of `dropslot apply`: its members, checked, with the place of each mistake; values as the commands take them. */
import { parseDocument } from 'yaml';
import { findNearest } from '../../config/nearest.js';
import type { ProviderChange } from '../accounts/orgprovider.js';
import { OperationError } from '../error.js';

export interface Setup {
  organizations: OrgSetup[];
  webhooks: SubscriberSetup[] | null;
  hooks: SubscriberSetup[] | null;
}

/** Of a list that is null the file says nothing. */
export interface OrgSetup {
  id: string;
  enabled: boolean | null;
  /** As `orgs set` takes them. */
  settings: Record<string, string>;
  keys: KeySetup[] | null;
  notifications: NotificationSetup[] | null;
  /** At which its people sign in to the console, as `console set-provider` takes it, without its secret; `none`: remove it. */
  provider: ProviderChange | 'none' | null;
}

export interface KeySetup {
  where: string;
  /** One public key. */
  key: string;
  isAuthority: boolean;
  /** As `keys set` takes them; null: no such term. */
  terms: Record<string, string | null>;
}

export interface NotificationSetup {
  address: string;
  /** null: the usual kinds, or those that it has. */
  events: string | null;
}

/** Members as the options of `webhooks add` and `hooks add`. */
export interface SubscriberSetup {
  where: string;
  org: string | null;
  /** Of a webhook its URL, of a hook its program. */
  target: string;
  args: string[];
  types: string | undefined;
  description: string | undefined;
  include: string | undefined;
  batch: number | undefined;
  allowHttp: boolean;
  allowPrivate: boolean;
  folder: string | undefined;
  timeLimitSeconds: number | undefined;
}

const keyTerms = ['label', 'note', 'notBefore', 'expires', 'from', 'permission', 'sha1', 'principals'];
const commonMembers = ['org', 'types', 'description', 'include', 'batch'];
const mostBytes = 16 * 1024 ** 2;

/** @throws OperationError `usage` */
export function readSetup(text: string): Setup {
  if (text.length > mostBytes) throw new OperationError('usage', `the file has more than ${mostBytes} bytes`);
  const document = parseDocument(text, { prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined) throw new OperationError('usage', `this is no valid YAML: ${firstLine(error.message)}`);
  const top = takeMap(
    convert(() => document.toJS({ maxAliasCount: 100 })),
    'the file',
    ['version', 'organizations', 'webhooks', 'hooks'],
  );
  if (top.version !== 1) throw new OperationError('usage', 'the file must begin with "version: 1"');
  const organizations = top.organizations === undefined ? {} : takeMap(top.organizations, 'organizations', null);
  return {
    organizations: Object.entries(organizations).map(([id, value]) => readOrg(id, value)),
    webhooks: takeList(top.webhooks, 'webhooks', readWebhook),
    hooks: takeList(top.hooks, 'hooks', readHook),
  };
}

function readOrg(id: string, value: unknown): OrgSetup {
  const where = `organizations.${id}`;
  const org = takeMap(value ?? {}, where, ['enabled', 'settings', 'keys', 'notifications', 'provider']);
  const settings = org.settings === undefined ? {} : takeMap(org.settings, `${where}.settings`, null);
  return {
    id,
    enabled: org.enabled === undefined ? null : takeBoolean(org.enabled, `${where}.enabled`),
    settings: Object.fromEntries(
      Object.entries(settings).map(([name, given]) => [
        name,
        takeValue(given, `${where}.settings.${name}`) ?? 'default',
      ]),
    ),
    keys: takeList(org.keys, `${where}.keys`, readKey),
    notifications: takeList(org.notifications, `${where}.notifications`, (given, place) => {
      const { address, events } = takeMap(given, place, ['address', 'events']);
      return {
        address: takeText(address, `${place}.address`),
        events: events === undefined ? null : takeValue(events, `${place}.events`),
      };
    }),
    provider:
      org.provider === undefined
        ? null
        : org.provider === null
          ? 'none'
          : readProvider(org.provider, `${where}.provider`),
  };
}

const providerTexts = ['issuer', 'clientId', 'label', 'scopes', 'emailClaim', 'verifiedClaim', 'domains'] as const;
const providerFlags = ['allowHttp', 'allowPrivate'] as const;

function readProvider(value: unknown, where: string): ProviderChange {
  const words = [...providerTexts, 'newAccounts', 'passwordSignIn'] as const;
  const map = takeMap(value, where, [...words, ...providerFlags]);
  const change: ProviderChange = {};
  for (const name of words)
    if (map[name] !== undefined)
      change[name] =
        takeValue(map[name], `${where}.${name}`, name === 'passwordSignIn' ? ['on', 'off'] : ['yes', 'no']) ?? '';
  for (const name of providerFlags)
    if (map[name] !== undefined) change[name] = takeBoolean(map[name], `${where}.${name}`);
  return change;
}

function readKey(value: unknown, where: string): KeySetup {
  const { key, authority, ...terms } = takeMap(value, where, ['key', 'authority', ...keyTerms]);
  return {
    where,
    key: takeText(key, `${where}.key`),
    isAuthority: authority === undefined ? false : takeBoolean(authority, `${where}.authority`),
    terms: Object.fromEntries(
      Object.entries(terms).map(([name, given]) => [name, takeValue(given, `${where}.${name}`, ['on', 'off'])]),
    ),
  };
}

function readWebhook(value: unknown, where: string): SubscriberSetup {
  const map = takeMap(value, where, ['url', 'allowHttp', 'allowPrivate', ...commonMembers]);
  const flag = (name: string) => (map[name] === undefined ? false : takeBoolean(map[name], `${where}.${name}`));
  return {
    ...readCommon(map, where),
    target: takeText(map.url, `${where}.url`),
    allowHttp: flag('allowHttp'),
    allowPrivate: flag('allowPrivate'),
  };
}

function readHook(value: unknown, where: string): SubscriberSetup {
  const map = takeMap(value, where, ['run', 'args', 'folder', 'timeLimitSeconds', ...commonMembers]);
  return {
    ...readCommon(map, where),
    target: takeText(map.run, `${where}.run`),
    args: takeList(map.args, `${where}.args`, takeText) ?? [],
    folder: map.folder === undefined ? undefined : takeText(map.folder, `${where}.folder`),
    timeLimitSeconds: takeNumber(map.timeLimitSeconds, `${where}.timeLimitSeconds`),
  };
}

function readCommon(map: Record<string, unknown>, where: string): Omit<SubscriberSetup, 'target'> {
  const text = (name: string) =>
    map[name] === undefined ? undefined : (takeValue(map[name], `${where}.${name}`) ?? undefined);
  return {
    where,
    org: text('org') ?? null,
    types: text('types'),
    description: text('description'),
    include: text('include'),
    batch: takeNumber(map.batch, `${where}.batch`),
    ...{ args: [], allowHttp: false, allowPrivate: false, folder: undefined, timeLimitSeconds: undefined },
  };
}

/** @param known the members that it may have; null: any. */
function takeMap(value: unknown, where: string, known: readonly string[] | null): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(where, 'must have members, each "name: value" on a line of its own');
  for (const name of known === null ? [] : Object.keys(value)) {
    if (known!.includes(name)) continue;
    const near = findNearest(name, known!);
    throw wrong(
      where,
      `has an unknown member "${name}"; ${near === null ? `known are ${known!.join(', ')}` : `did you mean ${near}?`}`,
    );
  }
  return value as Record<string, unknown>;
}

/** null: it is not there. */
function takeList<T>(value: unknown, where: string, take: (value: unknown, where: string) => T): T[] | null {
  if (value === undefined) return null;
  if (!Array.isArray(value)) throw wrong(where, 'must be a list, each element after a dash');
  return value.map((element, index) => take(element, `${where}[${index + 1}]`));
}

function takeText(value: unknown, where: string): string {
  if (typeof value === 'string' && value.trim() !== '') return value;
  if (typeof value === 'number') return String(value);
  throw wrong(where, value === undefined ? 'is missing' : 'must be text');
}

function takeBoolean(value: unknown, where: string): boolean {
  if (typeof value !== 'boolean') throw wrong(where, 'must be true or false');
  return value;
}

function takeNumber(value: unknown, where: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value)) throw wrong(where, 'must be a whole number');
  return value;
}

/** A value as it is written on a command line: lists with commas, maps as `a=b; c=d`. null: null in the file. */
function takeValue(
  value: unknown,
  where: string,
  [yes, no]: readonly [string, string] | string[] = ['yes', 'no'],
): string | null {
  if (value === null) return null;
  if (typeof value === 'boolean') return value ? yes! : no!;
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.map((one) => takeText(one, where)).join(',');
  const pairs = Object.entries(value as object);
  return pairs.map(([name, one]) => `${name}=${takeText(one, `${where}.${name}`)}`).join('; ');
}

function wrong(where: string, what: string): OperationError {
  return new OperationError('usage', `${where} ${what}`);
}

/** Too many aliases, for example. */
function convert(read: () => unknown): unknown {
  try {
    return read();
  } catch (cause) {
    throw new OperationError('usage', `this is no valid YAML: ${firstLine((cause as Error).message)}`, { cause });
  }
}

function firstLine(text: string): string {
  return text.split('\n')[0]!.replace(/:$/, '');
}
