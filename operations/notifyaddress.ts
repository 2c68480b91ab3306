/** Addresses that get mail about an organization, as they are stored and listed; finds them by the address. */
import type { Queryable } from '../db/connection.js';
import { listSubscribers, lockSubscriber } from '../db/control/eventsubscribers.js';
import { type MailCategory, mailCategories, orgCategories, readCategories } from '../events/mail/categories.js';
import type { MailOptions } from '../events/mail/mail.js';
import { OperationError } from './error.js';
import { mailKind, type Subscriber } from './subscribers.js';
import { unknownWord } from './unknownword.js';
import type { Workplace } from './workplace.js';

export interface Notification {
  id: string;
  org: string | null;
  address: string;
  events: MailCategory[];
  /** `unconfirmed`: it gets nothing until its code is confirmed. */
  state: 'unconfirmed' | 'enabled' | 'disabled';
  reason: string | null;
  failures: number;
  createdAt: number;
}

/** In the order in which they were added. @param orgId undefined: of all organizations, and those of operators. @throws OperationError `not_found` */
export async function listNotifications(workplace: Workplace, orgId?: string): Promise<Notification[]> {
  const org = orgId === undefined ? null : (await workplace.org(orgId)).id;
  return (await listSubscribers(workplace.control.read, mailKind.kind, org)).map(toNotification);
}

/** @param address or the id of the subscriber. @throws OperationError `not_found` */
export async function findByAddress(workplace: Workplace, org: string, address: string): Promise<Subscriber> {
  const wanted = address.trim().toLowerCase();
  const all = await listSubscribers(workplace.control.read, mailKind.kind, org);
  const found = all.find((one) => addressOf(one).toLowerCase() === wanted || one.id === wanted);
  if (found === undefined) throw noAddress(org, address);
  return found;
}

/** As findByAddress; no other transaction changes it before this one ends. */
export async function lockByAddress(tx: Queryable, org: string, address: string, id: string): Promise<Subscriber> {
  const found = await lockSubscriber(tx, id);
  if (found === null) throw noAddress(org, address);
  return found;
}

function noAddress(org: string, address: string): OperationError {
  return new OperationError('not_found', `${address} gets no mail about ${org}; see "dropslot notify list ${org}"`);
}

/** The options of an address that may not be confirmed yet. */
export interface CodeOptions extends MailOptions {
  /** Wrong codes since the last code was sent. */
  attempts?: number;
  /** When it was sent, in ms. */
  sentAt?: number;
}

export function readOptions({ options }: Subscriber): CodeOptions {
  return options as unknown as CodeOptions;
}

/** @throws OperationError `usage` */
export function readEvents(text: string): MailCategory[] {
  const words = text.split(',').map((word) => word.trim());
  const wrong = words.find((word) => !(orgCategories as readonly string[]).includes(word));
  if (wrong !== undefined) throw unknownWord(`unknown kind of mail "${wrong}"`, wrong, [...orgCategories]);
  return readCategories(words)!;
}

export function addressOf({ options }: Subscriber): string {
  return String(options.address);
}

export function toNotification(subscriber: Subscriber): Notification {
  const { id, org, types, state, reason, failures, createdAt, options } = subscriber;
  const all = Object.entries(mailCategories) as [MailCategory, readonly string[]][];
  const events = all.filter(([, own]) => own.every((type) => types.includes(type))).map(([name]) => name);
  const isConfirmed = options.codeHash === undefined;
  return {
    ...{ id, org, address: addressOf(subscriber), events, failures, createdAt },
    state: isConfirmed ? state : 'unconfirmed',
    reason: state === 'enabled' ? null : reason,
  };
}
