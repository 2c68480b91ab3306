/** Adds an address for mail about an organization, and confirms it by a code that only its mail has. */
import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import { isAddress } from '../config/settings.js';
import type { Queryable } from '../db/connection.js';
import { listSubscribers, lockSubscriber, updateSubscriber } from '../db/control/eventsubscribers.js';
import type { Org } from '../db/control/orgs.js';
import { lastDirectoryEvent } from '../db/directory/events.js';
import { typesOfCategories, usualCategories } from '../events/mail/categories.js';
import { composeMail } from '../events/mail/compose.js';
import { sendMail } from '../events/mail/transport.js';
import { OperationError } from './error.js';
import {
  type CodeOptions,
  findByAddress,
  lockByAddress,
  type Notification,
  readEvents,
  readOptions,
  toNotification,
} from './notifyaddress.js';
import { addSubscriber, enableIn, getSubscriber, mailKind } from './subscribers.js';
import { lockOrganization, type Workplace } from './workplace.js';

const mostOfOrg = 50;
const codeDigits = 8;
/** A stranger's address must not be flooded with codes. */
const resendAfterMs = 60_000;

const unconfirmed = 'its address is not confirmed';

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
  requireMailServer(workplace);
  const code = makeCode();
  const options: CodeOptions = { address: to, codeHash: hashCode(code), sentAt: workplace.now() };
  const id = await addSubscriber(
    workplace,
    mailKind,
    {
      ...{ org: org.id, types: typesOfCategories(categories), options: { ...options } },
      ...{ secret: null, description: null },
    },
    // Many at once would send more mails to strangers than an organization may.
    { disabledBecause: unconfirmed, first: (tx) => requireRoom(tx, org.id, to) },
  );
  await sendCode(workplace, org, id, to, code);
  return toNotification(await getSubscriber(workplace, mailKind, id));
}

/** Holds the organization until the address is added. @throws OperationError `refused` */
async function requireRoom(tx: Queryable, org: string, to: string): Promise<void> {
  await lockOrganization(tx, org);
  const others = (await listSubscribers(tx, mailKind.kind, org)).map(toNotification);
  const same = others.find((one) => one.address.toLowerCase() === to.toLowerCase());
  if (same !== undefined)
    throw new OperationError(
      'refused',
      same.state === 'unconfirmed'
        ? `${to} was added already, and is not confirmed: send it another code with "dropslot notify resend ${org} ${to}"`
        : `${to} gets mail about ${org} already; change it with "dropslot notify set ${org} ${to} --events …"`,
    );
  if (others.length >= mostOfOrg)
    throw new OperationError('refused', `${org} has ${mostOfOrg} addresses, the most that are possible`);
}

/** Sends another code, in place of the first. @throws OperationError as addNotification */
export async function resendCode(workplace: Workplace, orgId: string, address: string): Promise<Notification> {
  const org = await workplace.org(orgId);
  const { id } = await findByAddress(workplace, org.id, address);
  requireMailServer(workplace);
  const code = makeCode();
  const changed = await workplace.control.transact(async (tx) => {
    const found = await lockByAddress(tx, org.id, address, id);
    const { address: to, codeHash, sentAt = 0 } = readOptions(found);
    if (codeHash === undefined) throw new OperationError('refused', `${address} is confirmed already`);
    if (workplace.now() - sentAt < resendAfterMs)
      throw new OperationError('refused', 'a code was sent less than a minute ago; try again in a minute');
    const options = { address: to, codeHash: hashCode(code), sentAt: workplace.now() };
    await updateSubscriber(tx, id, { options });
    return { ...found, options };
  });
  await sendCode(workplace, org, id, changed.options.address, code);
  return toNotification(changed);
}

const mostAttempts = 5;

/**
 * From now on the address gets mail. Counting the attempt, forgetting the code and enabling the address are one transaction.
 * @throws OperationError `not_found`, `refused` when the code is wrong
 */
export async function confirmNotification(
  workplace: Workplace,
  orgId: string,
  address: string,
  code: string,
): Promise<Notification> {
  const org = await workplace.org(orgId);
  const { id } = await findByAddress(workplace, org.id, address);
  const last = await lastDirectoryEvent(workplace.directory.read);
  const result = await workplace.control.transact(async (tx): Promise<'confirmed' | 'wrong' | 'too many'> => {
    const found = await lockByAddress(tx, org.id, address, id);
    const { codeHash, attempts = 0, sentAt: _, ...rest } = readOptions(found);
    if (codeHash === undefined) return 'confirmed';
    if (attempts >= mostAttempts) return 'too many';
    if (!isSame(codeHash, hashCode(code.replace(/[\s-]/g, '')))) {
      await updateSubscriber(tx, id, { options: { ...found.options, attempts: attempts + 1 } });
      return 'wrong';
    }
    await updateSubscriber(tx, id, { options: { ...rest } });
    await enableIn(tx, workplace, mailKind, found, last);
    return 'confirmed';
  });
  if (result === 'wrong') throw new OperationError('refused', 'this is not the code that was sent');
  if (result === 'too many')
    throw new OperationError(
      'refused',
      `too many wrong codes: send another with "dropslot notify resend ${org.id} ${address}"`,
    );
  return toNotification(await getSubscriber(workplace, mailKind, id));
}

function requireMailServer({ settings }: Workplace): void {
  if (settings.smtp === undefined) throw new OperationError('unavailable', 'no mail server is set: set smtp');
}

/** @param id of the subscriber: when the mail could not be sent, another code may be sent at once */
async function sendCode(workplace: Workplace, org: Org, id: string, to: string, code: string) {
  const { settings, control, isOfOrg } = workplace;
  const { name } = org;
  const mail = composeMail(
    [
      {
        heading: 'Confirm your address',
        needsAction: true,
        paragraphs: [
          isOfOrg === true ? addedByAdmin(name) : addedByOperator(name),
          'If you do not want these mails, ignore this one: you get no other.',
        ],
        command: `${code.slice(0, 4)} ${code.slice(4)}`,
      },
    ],
    { about: name, footer: [] },
  );
  try {
    const headers = { 'Auto-Submitted': 'auto-generated' };
    await sendMail(settings, { ...mail, to, headers, id: `confirm-${hashCode(code).slice(0, 16)}` });
  } catch (cause) {
    await forgetSending(control, id, hashCode(code));
    const message = isOfOrg === true ? reasonForOrg(cause as Error) : (cause as Error).message;
    throw new OperationError(
      'unavailable',
      `the mail with the code could not be sent: ${message}; send it again with "dropslot notify resend ${org.id} ${to}"`,
      { cause },
    );
  }
}

/** Its mail may have been taken, and only the answer lost: the code may be confirmed by now, or another one be sent. */
async function forgetSending({ transact }: Workplace['control'], id: string, codeHash: string): Promise<void> {
  await transact(async (tx) => {
    const found = await lockSubscriber(tx, id);
    if (found === null) return;
    const { sentAt: _, ...options } = readOptions(found);
    if (options.codeHash === codeHash) await updateSubscriber(tx, id, { options: { ...options } });
  });
}

/** What the mail server answered is about the address; where the server stands, and why it is away, is the operator's matter. */
function reasonForOrg({ cause, message }: Error): string {
  const isAnswer = (cause as { response?: string } | undefined)?.response !== undefined;
  return isAnswer ? message : 'the mail server does not work now; tell the operator, or try later';
}

const addedByOperator = (name: string) =>
  `The operator of the server that receives the HR files of ${name} added your address to its mails about these files. To get the mails, send this code to the operator, who confirms your address with it.`;

const addedByAdmin = (name: string) =>
  `An admin of ${name} added your address to the mails about its HR files. To get the mails, send this code to the admin, who confirms your address with it.`;

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
