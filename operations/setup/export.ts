/** Writes the file of `dropslot apply` from the state: organizations, keys, webhooks, hooks and notifications, and no secret. */
import { stringify } from 'yaml';
import type { LoginKey } from '../../db/control/keys.js';
import { listOrgProviders, type OrgProvider } from '../../db/control/orgproviders.js';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { usualCategories } from '../../events/mail/categories.js';
import { groupByOrg, listKeysByOrg } from '../byorg.js';
import { stateOfKey } from '../keyterms.js';
import { listNotifications, type Notification } from '../notifyaddress.js';
import { listSettings } from '../orgsettings/orgsettings.js';
import { commandKind, listOfKind, type Subscriber, webhookKind } from '../subscribers.js';
import type { Workplace } from '../workplace.js';
import { isUsual } from './orgs.js';
import { describeProvider } from './provider.js';

const head = ` Written by "dropslot export-config", and read by "dropslot apply". It has no secret: passwords of clients, secrets of
 webhooks, sources, exports and providers are not in it. "enabled: true" says that an admin asked for SFTP access.`;

/**
 * @param orgIds undefined: all, with webhooks and hooks of all organizations and of none
 * @param isRemote leaves out hooks: no request tells of programs of the server, or changes them
 * @throws OperationError `not_found`
 */
export async function exportSetup(
  place: Workplace,
  orgIds?: readonly string[],
  { isRemote = false }: { isRemote?: boolean } = {},
): Promise<string> {
  const orgs =
    orgIds === undefined ? await listOrgs(place.control.read) : await Promise.all(orgIds.map((id) => place.org(id)));
  const organizations: Record<string, unknown> = {};
  const keysOf = await listKeysByOrg(
    place,
    orgs.map(({ id }) => id),
  );
  const notificationsOf = groupByOrg(await listNotifications(place));
  const providersOf = groupByOrg(await listOrgProviders(place.control.read));
  for (const org of orgs) {
    const [provider] = providersOf(org.id);
    organizations[org.id] = describeOrg(place, org, keysOf(org.id), notificationsOf(org.id), provider);
  }
  const isWanted = ({ org }: Subscriber) => orgIds === undefined || (org !== null && orgIds.includes(org));
  const webhooks = (await listOfKind(place, webhookKind)).filter(isWanted).map(describeWebhook);
  const hooks = (isRemote ? [] : await listOfKind(place, commandKind)).filter(isWanted).map(describeHook);
  const value = {
    version: 1,
    organizations,
    ...(webhooks.length > 0 && { webhooks }),
    ...(hooks.length > 0 && { hooks }),
  };
  return `${head.replaceAll(/^/gm, '#')}\n${stringify(value, { lineWidth: 0 })}`;
}

function describeOrg(
  place: Workplace,
  org: Org,
  allKeys: readonly LoginKey[],
  notifications: readonly Notification[],
  provider: OrgProvider | undefined,
): Record<string, unknown> {
  const settings = listSettings(org, place.settings).filter(
    (one) => !isUsual(one) && (one.setting.name !== 'name' || org.name !== org.id),
  );
  const keys = allKeys.filter(
    (key) =>
      key.kind !== 'password' && key.managedBy === null && ['usable', 'pending'].includes(stateOfKey(key, place.now())),
  );
  return {
    enabled: org.enabled,
    settings: Object.fromEntries(settings.map(({ setting, text }) => [setting.name, text])),
    ...(keys.length > 0 && { keys: keys.map(describeKey) }),
    ...(provider !== undefined && { provider: describeProvider(provider) }),
    ...(notifications.length > 0 && {
      notifications: notifications.map(({ address, events }) => ({
        address,
        ...(events.join() !== usualCategories.join() && { events: events.join(',') }),
      })),
    }),
  };
}

function describeKey(key: LoginKey): Record<string, unknown> {
  const { algorithm, publicKey, label, note, sources, notBefore, expiresAt, permission, allowsSha1, principals } = key;
  return {
    key: `${algorithm} ${publicKey}`,
    ...(key.kind === 'ca' && { authority: true }),
    label,
    ...(note !== '' && { note }),
    ...(sources.length > 0 && { from: sources.join(',') }),
    ...(notBefore !== null && { notBefore: new Date(notBefore).toISOString() }),
    ...(expiresAt !== null && { expires: new Date(expiresAt).toISOString() }),
    permission: permission === 'upload' ? 'upload-only' : 'upload-and-read',
    ...(allowsSha1 && { sha1: true }),
    ...(principals !== null && { principals: principals.join(',') }),
  };
}

function describeWebhook(subscriber: Subscriber): Record<string, unknown> {
  const { url, allowHttp, allowPrivate } = subscriber.options;
  return {
    url,
    ...describeCommon(subscriber),
    ...(allowHttp === true && { allowHttp }),
    ...(allowPrivate === true && { allowPrivate }),
  };
}

function describeHook(subscriber: Subscriber): Record<string, unknown> {
  const { program, args, folder, timeLimitSeconds } = subscriber.options;
  return {
    run: program,
    ...(Array.isArray(args) && args.length > 0 && { args }),
    ...describeCommon(subscriber),
    ...(folder !== undefined && { folder }),
    ...(timeLimitSeconds !== undefined && { timeLimitSeconds }),
  };
}

function describeCommon({ org, types, description, options }: Subscriber): Record<string, unknown> {
  return {
    ...(org !== null && { org }),
    types: types.join(','),
    ...(description !== null && { description }),
    ...(options.personal === true && { include: 'personal' }),
    ...(options.batch !== undefined && { batch: options.batch }),
  };
}
