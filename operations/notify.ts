/** Addresses that get mail about an organization: added, confirmed by a code that only the mail has, changed and removed. */
import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import { isAddress } from '../config/settings.js';
import { listSubscribers, updateSubscriber } from '../db/control/eventsubscribers.js';
import {
  type MailCategory,
  mailCategories,
  operatorOnly,
  readCategories,
  typesOfCategories,
  usualCategories,
} from '../events/mail/categories.js';
import { composeMail } from '../events/mail/compose.js';
import type { MailOptions } from '../events/mail/mail.js';
import { openMailer } from '../events/mail/service.js';
import { OperationError } from './error.js';
import {
  addSubscriber,
  audit,
  enable,
  getSubscriber,
  mailKind,
  removeSubscriber,
  type Subscriber,
} from './subscribers.js';
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

const mostOfOrg = 50;
const codeDigits = 8;
/** A stranger's address must not be flooded with codes. */
const resendAfterMs = 60_000;

/** Sends the address a mail with a code. @throws OperationError `usage`, `not_found`, `refused`, `unavailable` when the mail can't be sent */
export async function addNotification(
  workplace: Workplace,
  orgId: string,
  address: string,
  events: string | undefined,
): Promise<Notification> {
  const org = await workplace.org(orgId);
  const to = address.trim();
  if (!isAddress(to)) throw new OperationError('usage', `"${address}" is not an email address`);
  const categories = events === undefined ? [...usualCategories] : readEvents(events);
  const others = await listNotifications(workplace, org.id);
  if (others.some((one) => one.address.toLowerCase() === to.toLowerCase()))
    throw new OperationError(
      'refused',
      `${to} gets mail about ${org.id} already; change it with "dropslot notify set"`,
    );
  if (others.length >= mostOfOrg)
    throw new OperationError('refused', `${org.id} has ${mostOfOrg} addresses, the most that are possible`);
  const code = makeCode();
  const options: MailOptions = { address: to, codeHash: hashCode(code) };
  const id = await addSubscriber(
    workplace,
    mailKind,
    {
      ...{ org: org.id, types: typesOfCategories(categories), options: { ...options, sentAt: workplace.now() } },
      ...{ secret: null, description: null },
    },
    unconfirmed,
  );
  await sendCode(workplace, org.name, to, code);
  return toNotification(await getSubscriber(workplace, mailKind, id));
}

/** Sends another code, in place of the first. @throws OperationError as addNotification */
export async function resendCode(workplace: Workplace, orgId: string, address: string): Promise<Notification> {
  const org = await workplace.org(orgId);
  const found = await findByAddress(workplace, org.id, address);
  const { codeHash, sentAt = 0, ...rest } = found.options as unknown as MailOptions & { sentAt?: number };
  if (codeHash === undefined) throw new OperationError('refused', `${address} is confirmed already`);
  if (workplace.now() - sentAt < resendAfterMs)
    throw new OperationError('refused', 'a code was sent less than a minute ago; try again in a minute');
  const code = makeCode();
  const options = { ...rest, codeHash: hashCode(code), sentAt: workplace.now() };
  await updateSubscriber(workplace.control.write, found.id, { options });
  await sendCode(workplace, org.name, rest.address, code);
  return toNotification({ ...found, options });
}

const mostAttempts = 5;

/** From now on the address gets mail. @throws OperationError `not_found`, `refused` when the code is wrong */
export async function confirmNotification(
  workplace: Workplace,
  orgId: string,
  address: string,
  code: string,
): Promise<Notification> {
  const org = await workplace.org(orgId);
  const found = await findByAddress(workplace, org.id, address);
  const {
    codeHash,
    attempts = 0,
    sentAt: _,
    ...rest
  } = found.options as unknown as MailOptions & {
    attempts?: number;
    sentAt?: number;
  };
  if (codeHash === undefined) return toNotification(found);
  if (attempts >= mostAttempts)
    throw new OperationError(
      'refused',
      `too many wrong codes: send another with "dropslot notify resend ${org.id} ${address}"`,
    );
  if (!isSame(codeHash, hashCode(code.replace(/[\s-]/g, '')))) {
    await updateSubscriber(workplace.control.write, found.id, {
      options: { ...found.options, attempts: attempts + 1 },
    });
    throw new OperationError('refused', 'this is not the code that was sent');
  }
  await updateSubscriber(workplace.control.write, found.id, { options: { ...rest } });
  await enable(workplace, mailKind, found.id, true);
  return toNotification(await getSubscriber(workplace, mailKind, found.id));
}

/** @throws OperationError `usage`, `not_found` */
export async function setNotification(
  workplace: Workplace,
  orgId: string,
  address: string,
  events: string,
): Promise<Notification> {
  const org = await workplace.org(orgId);
  const found = await findByAddress(workplace, org.id, address);
  const types = typesOfCategories(readEvents(events));
  await workplace.control.transact(async (tx) => {
    await updateSubscriber(tx, found.id, { types });
    await audit(tx, workplace, 'notification.changed', found, { events });
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

/** In the order in which they were added. @param orgId undefined: of all organizations, and those of operators. @throws OperationError `not_found` */
export async function listNotifications(workplace: Workplace, orgId?: string): Promise<Notification[]> {
  const org = orgId === undefined ? undefined : (await workplace.org(orgId)).id;
  const all = await listSubscribers(workplace.control.read, mailKind.kind);
  return all.filter((one) => org === undefined || one.org === org).map(toNotification);
}

const unconfirmed = 'its address is not confirmed';

async function findByAddress(workplace: Workplace, org: string, address: string): Promise<Subscriber> {
  const wanted = address.trim().toLowerCase();
  const all = await listSubscribers(workplace.control.read, mailKind.kind);
  const found = all.find((one) => one.org === org && (addressOf(one).toLowerCase() === wanted || one.id === wanted));
  if (found === undefined)
    throw new OperationError('not_found', `${address} gets no mail about ${org}; see "dropslot notify list ${org}"`);
  return found;
}

/** @throws OperationError `usage` */
function readEvents(text: string): MailCategory[] {
  const names = Object.keys(mailCategories).filter((name) => !(operatorOnly as readonly string[]).includes(name));
  const words = text.split(',').map((word) => word.trim());
  const wrong = words.find((word) => !names.includes(word));
  if (wrong !== undefined) throw unknownWord(`unknown kind of mail "${wrong}"`, wrong, names);
  return readCategories(words)!;
}

async function sendCode({ settings }: Workplace, org: string, to: string, code: string): Promise<void> {
  const mail = composeMail(
    [
      {
        heading: 'Confirm your address',
        needsAction: true,
        paragraphs: [
          `You are to get mail about the HR files of ${org}. If that is right, give this code to your operator, who confirms it.`,
          'If you do not know what this is, ignore it: you will get no other mail.',
        ],
        command: `${code.slice(0, 4)} ${code.slice(4)}`,
      },
    ],
    { about: org, footer: [] },
  );
  try {
    await openMailer(settings).send({ ...mail, to, id: `confirm-${hashCode(code).slice(0, 16)}` });
  } catch (cause) {
    const { message } = cause as Error;
    throw new OperationError(
      'unavailable',
      `the mail with the code could not be sent: ${message}; send it again with "dropslot notify resend"`,
      { cause },
    );
  }
}

function makeCode(): string {
  return String(randomInt(10 ** codeDigits)).padStart(codeDigits, '0');
}

/** A code may be tried five times: its hash keeps it out of lists. */
function hashCode(code: string): string {
  return createHash('sha256').update(`dropslot notify ${code}`).digest('hex');
}

function isSame(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}

function addressOf({ options }: Subscriber): string {
  return String(options.address);
}

function toNotification(subscriber: Subscriber): Notification {
  const { id, org, types, state, reason, failures, createdAt, options } = subscriber;
  const events = (Object.keys(mailCategories) as MailCategory[]).filter((name) =>
    mailCategories[name].every((type) => types.includes(type)),
  );
  const isConfirmed = options.codeHash === undefined;
  return {
    ...{ id, org, address: addressOf(subscriber), events, failures, createdAt },
    state: isConfirmed ? state : 'unconfirmed',
    reason: state === 'enabled' ? null : reason,
  };
}
