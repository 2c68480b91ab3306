/** Addresses that get mail about an organization: changed, tested, enabled again and removed. */
import { updateSubscriber } from '../db/control/eventsubscribers.js';
import { orgCategories, typesOfCategories, usualCategories } from '../events/mail/categories.js';
import { OperationError } from './error.js';
import {
  addressOf,
  findByAddress,
  lockByAddress,
  type Notification,
  readEvents,
  toNotification,
} from './notifyaddress.js';
import {
  audit,
  enable,
  getSubscriber,
  mailKind,
  removeSubscriber,
  type Subscriber,
  testSubscriber,
} from './subscribers.js';
import type { Workplace } from './workplace.js';

/** That an address of an organization may get, and that it gets unless it chooses. */
export const kindsOfMail: readonly string[] = orgCategories;
export const usualKindsOfMail: readonly string[] = usualCategories;

/**
 * Sends mail again to an address that was disabled: with the events that it has not had and that are still kept, or only with
 * those from now on.
 * @throws OperationError `not_found`, `refused` when it is enabled or was never confirmed
 */
export async function enableNotification(
  workplace: Workplace,
  orgId: string,
  address: string,
  fromNow: boolean,
): Promise<Notification> {
  const { id } = await findConfirmed(workplace, orgId, address);
  await enable(workplace, mailKind, id, fromNow);
  return toNotification(await getSubscriber(workplace, mailKind, id));
}

/** Sends one test mail from this process. @throws OperationError `not_found`, `refused`, `failed` when it was not sent */
export async function testNotification(workplace: Workplace, orgId: string, address: string): Promise<Notification> {
  const found = await findConfirmed(workplace, orgId, address);
  const { result, detail } = await testSubscriber(workplace, mailKind, found.id);
  if (result !== 'delivered') throw new OperationError('failed', `the mail was not sent: ${detail}`);
  return toNotification(found);
}

/** @throws OperationError `usage`, `not_found` */
export async function setNotification(
  workplace: Workplace,
  orgId: string,
  address: string,
  events: string,
): Promise<Notification> {
  const org = await workplace.org(orgId);
  const { id } = await findByAddress(workplace, org.id, address);
  const types = typesOfCategories(readEvents(events));
  const found = await workplace.control.transact(async (tx) => {
    const locked = await lockByAddress(tx, org.id, address, id);
    await updateSubscriber(tx, id, { types });
    await audit(tx, workplace, 'notification.changed', locked, { events });
    return locked;
  });
  return toNotification({ ...found, types });
}

/** @throws OperationError `not_found` */
export async function removeNotification(workplace: Workplace, orgId: string, address: string): Promise<Notification> {
  const org = await workplace.org(orgId);
  const found = await findByAddress(workplace, org.id, address);
  await removeSubscriber(workplace, mailKind, found.id);
  return toNotification(found);
}

async function findConfirmed(workplace: Workplace, orgId: string, address: string): Promise<Subscriber> {
  const org = await workplace.org(orgId);
  const found = await findByAddress(workplace, org.id, address);
  if (found.options.codeHash === undefined) return found;
  throw new OperationError(
    'refused',
    `${addressOf(found)} is not confirmed yet: confirm it with "dropslot notify confirm ${org.id} ${addressOf(found)} CODE"`,
  );
}
