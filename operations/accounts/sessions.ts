/** Sign-in, and the sessions that it begins: recognized at each request, so that one that was ended ends at once. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Queryable } from '../../db/connection.js';
import {
  type Account,
  type AccountSecrets,
  type FullAccount,
  findAccount,
  lockAccount,
  noteSignIn,
  useRecoveryCode,
  useTotpStep,
} from '../../db/control/accounts.js';
import {
  type AccountSession,
  deleteOldSessions,
  deleteSession,
  deleteSessionOf,
  deleteSessions,
  findSession,
  insertSession,
  listSessions,
  noteSessionUse,
  type SignInMethod,
} from '../../db/control/accountsessions.js';
import { recordAudit } from '../../db/control/audit.js';
import { emailKey } from '../../importer/read/normalize.js';
import { PasswordQueue } from '../../keys/login/password.js';
import { findTotpStep, latestTotpStep } from '../../keys/login/totp.js';
import { loadMaster, type MasterKey } from '../../keys/master/master.js';
import { openText } from '../../keys/master/sealedtext.js';
import { OperationError } from '../error.js';
import type { Workplace } from '../workplace.js';
import { actorOf, hashRecovery, normalize } from './credentials.js';
import { withoutSecrets } from './people.js';
import { mayUsePassword } from './provider.js';

export { type AccountSession, PasswordQueue };

const longestMs = 12 * 3_600_000;
const idleMs = 3_600_000;
const useEveryMs = 60_000;
const mostAgent = 200;
const mostSessions = 20;
/** A session that began later than now was begun by a clock that was ahead: it would not end in time. */
const clockDriftMs = 5 * 60_000;
const recentMs = 15 * 60_000;
/** After the check of the password: a refusal takes as long whether the second factor was looked at or not. */
const refusalMs = 30;

export interface Client {
  address: string | null;
  agent: string | null;
  /** The cookie of an earlier session of the browser, which ends; ''or undefined: none. */
  former?: string;
}

export interface GivenCredentials {
  email: string;
  password: string;
  /** Of the app, or a recovery code. */
  code: string;
}

export interface Begun {
  account: Account;
  /** Of the cookie. */
  secret: string;
}

/**
 * null: something of it is wrong, and the answer does not say which part. An unknown address takes as long as a wrong password.
 * @throws OperationError `unavailable` when too many passwords are being checked
 */
export async function signIn(
  workplace: Workplace,
  { email, password, code }: GivenCredentials,
  client: Client,
  queue: PasswordQueue,
): Promise<Begun | null> {
  const account = await findAccount(workplace.control.read, { emailKey: emailKey(email.trim()) });
  const isRight = await queue.check(normalize(password), account?.password ?? null);
  if (isRight === null)
    throw new OperationError('unavailable', 'too many people sign in now: try it again in a minute');
  const refused = delay(refusalMs);
  const isAllowed = isRight && account !== null && (await mayUsePassword(workplace, account));
  const factor = isAllowed ? await useSecondFactor(workplace, account, code.replace(/\s/g, '')) : null;
  if (!isAllowed || factor === null) {
    await refused;
    return null;
  }
  const proof = { method: 'password', factor } as const;
  // As it was checked: a person who was removed, or whose password was changed meanwhile, is not let in.
  const secret = await beginSession(workplace, account, client, proof, ({ password: now }) => now === account.password);
  return secret === null ? null : { account: withoutSecrets(account), secret };
}

/** How a person proved who they are. */
export interface Proof {
  method: SignInMethod;
  /** In words, for the audit trail. */
  factor: string;
  /** When that was; without it now. */
  at?: number;
}

/**
 * The cookie of a new session; null: the account is no longer as it was when the proof was made.
 * @param isUnchanged compares the account as it is now, which no other request changes until the session has begun
 */
export async function beginSession(
  { control, now }: Workplace,
  { id: of }: Pick<Account, 'id'>,
  { address, agent, former = '' }: Client,
  { method, factor, at: authenticatedAt = now() }: Proof,
  isUnchanged: (account: FullAccount, tx: Queryable) => boolean | Promise<boolean>,
): Promise<string | null> {
  const at = now();
  const secret = randomBytes(32).toString('base64url');
  const id = `ses_${randomBytes(8).toString('hex')}`;
  const times = {
    createdAt: at,
    authenticatedAt: Math.min(at, authenticatedAt),
    seenAt: at,
    expiresAt: at + longestMs,
  };
  const isBegun = await control.transact(async (tx) => {
    const account = await lockAccount(tx, { id: of });
    if (account === null || !(await isUnchanged(account, tx))) return false;
    await deleteOldSessions(tx, at, at - idleMs);
    if (isSessionSecret(former)) await deleteSessionOf(tx, hashOf(former));
    for (const { id: old } of (await listSessions(tx, of)).slice(mostSessions - 1)) await deleteSession(tx, of, old);
    const name = agent?.slice(0, mostAgent) ?? null;
    await insertSession(tx, { id, hash: hashOf(secret), account: of, method, ...times, address, agent: name });
    await noteSignIn(tx, of, at);
    const event = { at, org: account.org, actor: actorOf(account), action: 'account.signed_in', subject: id };
    await recordAudit(tx, { ...event, detail: { method, factor, address } });
    return true;
  });
  return isBegun ? secret : null;
}

/** Whether the person proved who they are a short time ago: for changes of the ways to sign in. */
export function isRecent({ now }: Pick<Workplace, 'now'>, { authenticatedAt }: AccountSession): boolean {
  const since = now() - authenticatedAt;
  return since >= 0 && since <= recentMs;
}

/** The factor that was used; null: the code is wrong, or was used before. */
async function useSecondFactor(
  workplace: Workplace,
  { id, totp, recovery }: Account & AccountSecrets,
  code: string,
): Promise<string | null> {
  const { control, now } = workplace;
  if (/^\d{6}$/.test(code) && totp !== null) {
    const secret = await openTotp(workplace, totp);
    const step = secret === null ? null : findTotpStep(secret, code, now());
    const latest = latestTotpStep(now());
    return step !== null && (await useTotpStep(control.write, id, step, latest)) ? 'app' : null;
  }
  const hash = hashRecovery(code);
  const left = recovery.filter((one) => one !== hash);
  if (left.length === recovery.length) return null;
  return (await useRecoveryCode(control.write, id, recovery, left)) ? 'recovery code' : null;
}

/** The master key may have been changed by a command since this process read it. null: no key opens it any more. */
async function openTotp({ master, paths, secrets }: Workplace, sealed: string): Promise<string | null> {
  const open = async (key: MasterKey) => openText(key.identity, sealed).catch(() => null);
  return (await open(await master())) ?? open(await loadMaster(paths, secrets));
}

export interface Recognized {
  account: Account;
  session: AccountSession;
}

/** null: the cookie is of no session that goes on. */
export async function recognizeSession(
  { control, now }: Workplace,
  secret: string,
  address: string | null,
): Promise<Recognized | null> {
  if (!isSessionSecret(secret)) return null;
  const session = await findSession(control.read, hashOf(secret));
  const at = now();
  if (session === null || !isOpen(session, at)) return null;
  const account = await findAccount(control.read, { id: session.account });
  if (account === null) return null;
  // On a full disk pages can still be read, which is when they are needed.
  if (at - session.seenAt >= useEveryMs) await noteSessionUse(control.write, session.id, at, address).catch(() => {});
  return { account: withoutSecrets(account), session };
}

export async function listSessionsOf({ control, now }: Workplace, { id }: Account): Promise<AccountSession[]> {
  const at = now();
  return (await listSessions(control.read, id)).filter((session) => isOpen(session, at));
}

function isOpen({ createdAt, expiresAt, seenAt }: AccountSession, at: number): boolean {
  return expiresAt > at && seenAt + idleMs > at && createdAt <= at + clockDriftMs;
}

/** @throws OperationError `not_found` */
export async function endSession(workplace: Workplace, account: Account, session: string): Promise<void> {
  await workplace.control.transact(async (tx) => {
    if (!(await deleteSession(tx, account.id, session)))
      throw new OperationError('not_found', 'this session has ended already');
    await auditEnd(tx, workplace, account, session);
  });
}

/** All but the present one (`except`), or all. */
export async function endSessions(workplace: Workplace, account: Account, except = ''): Promise<void> {
  await workplace.control.transact(async (tx) => {
    const ended = await deleteSessions(tx, account.id, except);
    if (ended > 0) await auditEnd(tx, workplace, account, `${ended} sessions`);
  });
}

function auditEnd(
  tx: Parameters<typeof recordAudit>[0],
  { now, actor }: Workplace,
  { email, org }: Account,
  subject: string,
): Promise<void> {
  return recordAudit(tx, { at: now(), org, actor, action: 'account.signed_out', subject, detail: { email } });
}

/** Of a form: it is bound to the session, and can't be made without its cookie. */
export function formTokenOf(secret: string): string {
  return createHash('sha256').update(`form ${secret}`).digest('base64url');
}

export function isFormToken(given: string, secret: string): boolean {
  const wanted = Buffer.from(formTokenOf(secret));
  const got = Buffer.from(given);
  return got.length === wanted.length && timingSafeEqual(got, wanted);
}

function isSessionSecret(given: string): boolean {
  return /^[\w-]{43}$/.test(given);
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
