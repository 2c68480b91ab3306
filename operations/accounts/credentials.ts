/** The password, the second factor and the recovery codes of an account: set by an invitation, changed by its person. */
import { randomBytes } from 'node:crypto';
import { base32nopad } from '@scure/base';
import { deleteBrowsers } from '../../db/control/accountbrowsers.js';
import { deletePasskeys } from '../../db/control/accountpasskeys.js';
import {
  type Account,
  deleteInvitation,
  findAccount,
  findInvitation,
  lockAccount,
  setAccountIdentity,
  setAccountPassword,
  setAccountSecrets,
} from '../../db/control/accounts.js';
import { deleteSessions, lockSession } from '../../db/control/accountsessions.js';
import { recordAudit } from '../../db/control/audit.js';
import { emailKey } from '../../importer/read/normalize.js';
import { type PasswordQueue, storePassword } from '../../keys/login/password.js';
import { findTotpStep, generateTotpSecret, isTotpSecret, totpUri } from '../../keys/login/totp.js';
import { loadMaster } from '../../keys/master/master.js';
import { sealText } from '../../keys/master/sealedtext.js';
import { OperationError } from '../error.js';
import type { Workplace } from '../workplace.js';
import { hashCode, withoutSecrets } from './people.js';
import { mayUsePassword } from './provider.js';

export { generateTotpSecret, totpUri };

export const leastPassword = 12;
const mostPassword = 200;
const recoveryCodes = 10;

/** The account that an invitation is for; null: the code is unknown, used or expired. */
export async function openInvitation({ control, now }: Workplace, code: string): Promise<Account | null> {
  const invitation = await findInvitation(control.read, hashCode(code));
  if (invitation === null || invitation.expiresAt <= now()) return null;
  const account = await findAccount(control.read, { id: invitation.account });
  return account === null ? null : withoutSecrets(account);
}

export interface ChosenCredentials {
  password: string;
  /** In base32: the page showed it, and the person's app has it. */
  totpSecret: string;
  /** Shows that the app has it. */
  totpCode: string;
}

export interface SetAccount {
  account: Account;
  /** As it is stored: an account that has another one was set anew meanwhile. */
  password: string;
  /** Each signs in once in place of a code of the app; they can't be shown again. */
  recovery: string[];
}

/**
 * Sets the credentials of an account, ends its sessions, and uses up the invitation.
 * @throws OperationError `not_found` when the invitation can't be used; `usage` for a weak password or a wrong code
 */
export async function acceptInvitation(
  workplace: Workplace,
  code: string,
  { password: given, totpSecret, totpCode }: ChosenCredentials,
): Promise<SetAccount> {
  const account = await openInvitation(workplace, code);
  if (account === null) throw usedInvitation();
  if (!(await mayUsePassword(workplace, account)))
    throw new OperationError('usage', 'this account signs in at its provider: use the button on the page');
  checkPassword(given, account.email);
  if (!isTotpSecret(totpSecret)) throw new OperationError('usage', 'open the link of the invitation again');
  if (findTotpStep(totpSecret, totpCode.replace(/\s/g, ''), workplace.now()) === null)
    throw new OperationError(
      'usage',
      'the code is not the present one of the app: add the key to the app, and type the 6 digits that it shows now',
    );
  const recovery = makeRecovery();
  const password = await storePassword(normalize(given));
  // As it is now: a command may have changed it since this process read it.
  const { recipient } = await loadMaster(workplace.paths, workplace.secrets);
  const totp = await sealText(recipient, totpSecret);
  const { control, now } = workplace;
  await control.transact(async (tx) => {
    await lockAccount(tx, { id: account.id });
    if (!(await deleteInvitation(tx, hashCode(code)))) throw usedInvitation();
    // It replaces every way in that the account had.
    await setAccountSecrets(tx, account.id, { password, totp, recovery: recovery.map(hashRecovery) });
    await setAccountIdentity(tx, account.id, null);
    await deletePasskeys(tx, account.id);
    await deleteBrowsers(tx, account.id);
    await deleteSessions(tx, account.id);
    await audit(tx, workplace, account, 'account.set');
  });
  return { account: { ...account, isSet: true, hasPassword: true, signedInAt: now() }, password, recovery };
}

function usedInvitation(): OperationError {
  return new OperationError('not_found', 'the invitation was used, replaced or has expired: ask for a new one');
}

/** Ends all other sessions. @throws OperationError `usage` */
export async function changePassword(
  workplace: Workplace,
  { id }: Account,
  session: string,
  { present, wanted }: { present: string; wanted: string },
  queue: PasswordQueue,
): Promise<void> {
  const account = await findAccount(workplace.control.read, { id });
  const isRight = await queue.check(normalize(present), account?.password ?? null);
  if (isRight === null)
    throw new OperationError('unavailable', 'too many people sign in now: try it again in a minute');
  if (account === null || !isRight) throw new OperationError('usage', 'the present password is wrong');
  if (!(await mayUsePassword(workplace, account)))
    throw new OperationError('refused', 'this account signs in at its provider, and has no password here');
  checkPassword(wanted, account.email);
  const password = await storePassword(normalize(wanted));
  await workplace.control.transact(async (tx) => {
    // One that another request has changed meanwhile is no longer the one that was checked.
    if ((await lockAccount(tx, { id }))?.password !== account.password)
      throw new OperationError('refused', 'the password was changed meanwhile: try it again with the new one');
    if (!(await lockSession(tx, id, session))) throw endedSession();
    await setAccountPassword(tx, id, password);
    await deleteBrowsers(tx, id);
    await deleteSessions(tx, id, session);
    await audit(tx, workplace, account, 'account.password_changed');
  });
}

/** Of a change of the ways in: a session that was ended while the change was prepared must leave none behind. */
export function endedSession(): OperationError {
  return new OperationError('refused', 'your session has ended meanwhile: sign in again, and repeat the change');
}

/** In the form that is hashed: keyboards write one letter in different ways. */
export function normalize(password: string): string {
  return password.normalize('NFKC');
}

/** The code without its separators, in one case, hashed. */
export function hashRecovery(code: string): string {
  return hashCode(code.replace(/[\s-]/g, '').toUpperCase());
}

/** @throws OperationError `usage` */
function checkPassword(password: string, email: string): void {
  const { length } = [...password];
  if (length < leastPassword)
    throw new OperationError(
      'usage',
      `the password needs at least ${leastPassword} characters: several words are easy to remember`,
    );
  if (length > mostPassword)
    throw new OperationError('usage', `the password may have ${mostPassword} characters at most`);
  const [local = ''] = emailKey(email).split('@');
  if (new Set(password).size < 5 || (local.length > 3 && password.toLowerCase().includes(local)))
    throw new OperationError(
      'usage',
      'the password is easy to guess: use other words than your name, and more than one',
    );
}

/** 80 bits each, in groups of four. */
function makeRecovery(): string[] {
  const one = () =>
    base32nopad
      .encode(randomBytes(10))
      .toLowerCase()
      .replace(/.{4}(?=.)/g, '$&-');
  return Array.from({ length: recoveryCodes }, one);
}

function audit(
  tx: Parameters<typeof recordAudit>[0],
  { now }: Workplace,
  { email, org }: Account,
  action: string,
): Promise<void> {
  return recordAudit(tx, { at: now(), org, actor: actorOf({ email }), action, subject: email, detail: {} });
}

/** As the audit trail names a person of the console. */
export function actorOf({ email }: Pick<Account, 'email'>): string {
  return `web:${email}`;
}
