/** Subscribers of events, of any kind: list, test, disable, enable and remove them, and deliver events to them again. */
import { randomBytes } from 'node:crypto';
import type { Queryable } from '../db/connection.js';
import { recordAudit } from '../db/control/audit.js';
import { type Delivery, insertReplay, keptDeliveries, listDeliveries } from '../db/control/eventdeliveries.js';
import { newEventId } from '../db/control/eventrows.js';
import { findEvent } from '../db/control/events.js';
import {
  deleteSubscriber,
  disableSubscriber,
  enableSubscriber,
  findSubscriber,
  insertSubscriber,
  listSubscribers,
  lockSubscriber,
  type NewSubscriber,
  type Subscriber,
  skipToNow,
  updateSubscriber,
} from '../db/control/eventsubscribers.js';
import { findDirectoryEvent, lastDirectoryEvent } from '../db/directory/events.js';
import type { Outcome } from '../events/deliverer.js';
import { makeDeliverers } from '../events/deliverers.js';
import { embeddedKindName } from '../events/embedded/handlers.js';
import { type Envelope, eventVersion } from '../events/envelope.js';
import { matchTypes, typesOf } from '../events/types.js';
import { explainCode } from '../importer/codes.js';
import { nextImport } from '../importer/schedule/nextimport.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

export type { Delivery } from '../db/control/eventdeliveries.js';
export type { Subscriber } from '../db/control/eventsubscribers.js';

/** A kind as its commands name it. */
export interface SubscriberKind {
  kind: string;
  /** The group of commands: `webhooks`. */
  group: string;
  /** In sentences, and before the dot of audit records. */
  noun: string;
}

export const webhookKind: SubscriberKind = { kind: 'webhook', group: 'webhooks', noun: 'webhook' };
export const mailKind: SubscriberKind = { kind: 'mail', group: 'notify', noun: 'notification' };
export const commandKind: SubscriberKind = { kind: 'command', group: 'hooks', noun: 'hook' };
export const exportKind: SubscriberKind = { kind: 'export', group: 'exports', noun: 'export' };
export const handlerKind: SubscriberKind = { kind: embeddedKindName, group: 'handlers', noun: 'handler' };

const kinds = [webhookKind, commandKind, mailKind, exportKind, handlerKind];
const mostSubscribers = 1_000;
const mostDescription = 200;

export interface CommonOptions {
  org?: string;
  /** Patterns, separated by commas. */
  types?: string;
  description?: string;
  /** `personal`. */
  include?: string;
  batch?: number;
}

/** Checks the options that every kind has. @throws OperationError `usage`, `not_found` */
export async function readCommon(
  workplace: Workplace,
  { org, types = '*', description, include, batch }: CommonOptions,
) {
  if (include !== undefined && include !== 'personal')
    throw new OperationError('usage', `--include takes "personal", not "${include}"`);
  if ((description?.length ?? 0) > mostDescription)
    throw new OperationError('usage', `--description takes at most ${mostDescription} characters`);
  return {
    org: org === undefined ? null : (await workplace.org(org)).id,
    types: readTypes(types),
    description: description ?? null,
    options: { ...(include !== undefined && { personal: true }), ...(batch !== undefined && { batch }) },
  };
}

/** `run.*,user.*`. @throws OperationError `usage` */
export function readTypes(text: string): string[] {
  const patterns = text.split(',').map((one) => one.trim());
  const wrong = patterns.find((pattern) => matchTypes([pattern]) === null);
  if (wrong !== undefined)
    throw new OperationError(
      'usage',
      `"${wrong}" fits no type of event: use *, a group such as run.*, or a type of "dropslot events types"`,
    );
  return patterns;
}

/** Adds a subscriber that gets the events from now on, or once it is enabled; its id. @param first in the same transaction */
export async function addSubscriber(
  workplace: Workplace,
  { kind, noun }: SubscriberKind,
  subscriber: Omit<NewSubscriber, 'id' | 'kind'>,
  { disabledBecause = null, first }: { disabledBecause?: string | null; first?: (tx: Queryable) => Promise<void> } = {},
): Promise<string> {
  const id = `sub_${randomBytes(8).toString('hex')}`;
  const last = await lastDirectoryEvent(workplace.directory.read);
  await workplace.control.transact(async (tx) => {
    await first?.(tx);
    if ((await listSubscribers(tx)).length >= mostSubscribers)
      throw new OperationError('refused', `there are ${mostSubscribers} subscribers, the most that are possible`);
    await insertSubscriber(tx, { id, kind, ...subscriber }, last, workplace.now());
    if (disabledBecause !== null) await disableSubscriber(tx, id, disabledBecause);
    await audit(tx, workplace, `${noun}.added`, { id, org: subscriber.org }, { types: subscriber.types });
  });
  return id;
}

/** Gives a subscriber other types, description and options; it keeps its place and its secret. @throws OperationError `not_found` */
export async function changeSubscriber(
  workplace: Workplace,
  of: SubscriberKind,
  id: string,
  { types, description, options }: Pick<NewSubscriber, 'types' | 'description' | 'options'>,
): Promise<void> {
  await workplace.control.transact(async (tx) => {
    const subscriber = await lockOfKind(tx, of, id);
    await updateSubscriber(tx, id, { types, description, options });
    await audit(tx, workplace, `${of.noun}.changed`, subscriber, { types });
  });
}

export function listOfKind({ control }: Workplace, { kind }: SubscriberKind): Promise<Subscriber[]> {
  return listSubscribers(control.read, kind);
}

/** Of every kind. */
export function listAllSubscribers({ control }: Workplace): Promise<Subscriber[]> {
  return listSubscribers(control.read);
}

/** The kind of a subscriber, for its messages. */
export function kindOfSubscriber({ kind }: Pick<Subscriber, 'kind'>): SubscriberKind {
  return kinds.find((one) => one.kind === kind) ?? webhookKind;
}

/** @throws OperationError `not_found` */
export async function getSubscriber(
  { control }: Workplace,
  of: SubscriberKind | null,
  id: string,
): Promise<Subscriber> {
  return requireKind(await findSubscriber(control.read, id), of, id);
}

/** As getSubscriber; no other transaction changes it before this one ends. @throws OperationError `not_found` */
export async function lockOfKind(tx: Queryable, of: SubscriberKind, id: string): Promise<Subscriber> {
  return requireKind(await lockSubscriber(tx, id), of, id);
}

/** @throws OperationError `not_found` */
function requireKind(subscriber: Subscriber | null, of: SubscriberKind | null, id: string): Subscriber {
  if (subscriber !== null && (of === null || subscriber.kind === of.kind)) return subscriber;
  const list = (of === null ? kinds : [of]).map(({ group }) => `"dropslot ${group} list"`);
  throw new OperationError('not_found', `there is no ${of?.noun ?? 'subscriber'} ${id}; see ${list.join(' and ')}`);
}

/** Events are kept for it while it is disabled, as long as `eventDays` says. @throws OperationError `not_found`, `refused` */
export async function disable(workplace: Workplace, of: SubscriberKind, id: string): Promise<void> {
  const subscriber = await getSubscriber(workplace, of, id);
  await workplace.control.transact(async (tx) => {
    if (!(await disableSubscriber(tx, id, 'disabled by an operator')))
      throw new OperationError('refused', `the ${of.noun} ${id} is disabled already`);
    await audit(tx, workplace, `${of.noun}.disabled`, subscriber, {});
  });
}

/** It gets the events that it has not had and that are still kept, or only those from now on. @throws OperationError */
export async function enable(workplace: Workplace, of: SubscriberKind, id: string, fromNow: boolean): Promise<void> {
  const subscriber = await getSubscriber(workplace, of, id);
  const last = await lastDirectoryEvent(workplace.directory.read);
  await workplace.control.transact((tx) => enableIn(tx, workplace, of, subscriber, fromNow ? last : null));
}

/** @param skipTo number of the last event of the directory, to leave out events that it has not had. @throws OperationError `refused` */
export async function enableIn(
  tx: Queryable,
  workplace: Pick<Workplace, 'now' | 'actor'>,
  of: SubscriberKind,
  subscriber: Pick<Subscriber, 'id' | 'org'>,
  skipTo: number | null,
): Promise<void> {
  const { id } = subscriber;
  if (!(await enableSubscriber(tx, id))) throw new OperationError('refused', `the ${of.noun} ${id} is enabled already`);
  if (skipTo !== null) await skipToNow(tx, id, skipTo);
  await audit(tx, workplace, `${of.noun}.enabled`, subscriber, { fromNow: skipTo !== null });
}

/** @throws OperationError `not_found` */
export async function removeSubscriber(workplace: Workplace, of: SubscriberKind, id: string): Promise<void> {
  await workplace.control.transact(async (tx) => {
    const subscriber = await lockOfKind(tx, of, id);
    await deleteSubscriber(tx, id);
    await audit(tx, workplace, `${of.noun}.removed`, subscriber, {});
  });
}

/** Sends a `webhook.test` event from this process, once. @throws OperationError `not_found`; KeyError */
export async function testSubscriber(workplace: Workplace, of: SubscriberKind, id: string): Promise<Outcome> {
  const subscriber = await getSubscriber(workplace, of, id);
  const { slotJitterMinutes } = workplace.settings;
  const nextOf = (org: Parameters<typeof nextImport>[0], at: number) => nextImport(org, at, slotJitterMinutes);
  const deliverer = makeDeliverers({
    ...{
      control: workplace.control,
      settings: workplace.settings,
      now: workplace.now,
      explainCode,
      nextImport: nextOf,
    },
    loadMaster: () => workplace.master(),
  }).find(({ kind }) => kind === of.kind)!;
  const at = new Date(workplace.now()).toISOString();
  const event: Envelope = {
    ...{
      id: newEventId(workplace.now()),
      type: 'webhook.test',
      org: subscriber.org,
      at,
      version: eventVersion,
      data: {},
    },
  };
  const batch = { id: event.id, events: [event], body: event, subscriber };
  return deliverer.deliver(batch, new AbortController().signal);
}

/** The last attempts, the newest first. @throws OperationError `not_found` */
export async function listAttempts(workplace: Workplace, of: SubscriberKind, id: string): Promise<Delivery[]> {
  await getSubscriber(workplace, of, id);
  return listDeliveries(workplace.control.read, id, keptDeliveries);
}

/** Delivers one event again, with its id, by the running server. @throws OperationError `not_found`, `refused` */
export async function resend(workplace: Workplace, of: SubscriberKind, id: string, eventId: string): Promise<void> {
  const subscriber = await getSubscriber(workplace, of, id);
  const { control, directory } = workplace;
  const ofControl = await findEvent(control.read, eventId);
  const ofDirectory = ofControl === null ? await findDirectoryEvent(directory.read, eventId) : null;
  const event = ofControl ?? ofDirectory;
  if (event === null)
    throw new OperationError('not_found', `there is no event ${eventId}, or it is older than eventDays`);
  if (!typesOf(subscriber.types).includes(event.type) || (subscriber.org !== null && subscriber.org !== event.org))
    throw new OperationError('refused', `${id} does not get events of the type ${event.type}, or of this organization`);
  requireEnabled(subscriber);
  const only = (is: boolean) => ({ from: is ? event.seq - 1 : 0, to: is ? event.seq : 0 });
  const [inControl, inDirectory] = [only(ofControl !== null), only(ofDirectory !== null)];
  await control.transact(async (tx) => {
    const position = { control: inControl.from, directory: inDirectory.from, batchTo: null };
    const to = { control: inControl.to, directory: inDirectory.to };
    await insertReplay(tx, { subscriber: id, filter: {}, position, to });
    await audit(tx, workplace, `${of.noun}.resent`, subscriber, { event: eventId });
  });
}

/** @throws OperationError `refused` */
export function requireEnabled({ id, kind, state, org, options }: Subscriber): void {
  if (state === 'enabled') return;
  if (kind === mailKind.kind && org === null)
    throw new OperationError(
      'refused',
      `${id} is disabled: it is an address of the setting operatorMail, which the server enables again when it starts`,
    );
  const group = kinds.find((one) => one.kind === kind)?.group ?? webhookKind.group;
  const of = kind === mailKind.kind ? `${org} ${options.address}` : id;
  throw new OperationError('refused', `${id} is disabled: enable it first, with "dropslot ${group} enable ${of}"`);
}

export function audit(
  tx: Queryable,
  { now, actor }: Pick<Workplace, 'now' | 'actor'>,
  action: string,
  { id, org }: Pick<Subscriber, 'id' | 'org'>,
  detail: Record<string, unknown>,
): Promise<void> {
  return recordAudit(tx, { at: now(), org, actor, action, subject: id, detail });
}
