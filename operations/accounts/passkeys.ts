/** Passkeys (WebAuthn): added by their person, listed, removed, and used to sign in without a password. */
import { createHash, randomBytes } from 'node:crypto';
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import type { Queryable } from '../../db/connection.js';
import { putChallenge, takeChallenge } from '../../db/control/accountchallenges.js';
import {
  deletePasskey,
  findPasskey,
  insertPasskey,
  listPasskeys,
  notePasskeyUse,
  type Passkey,
} from '../../db/control/accountpasskeys.js';
import { findAccount, lockAccount } from '../../db/control/accounts.js';
import { type AccountSession, lockSession } from '../../db/control/accountsessions.js';
import { recordAudit } from '../../db/control/audit.js';
import { OperationError } from '../error.js';
import type { Workplace } from '../workplace.js';
import { endedSession } from './credentials.js';
import { withoutSecrets } from './people.js';
import { mayUsePassword } from './provider.js';
import type { Account } from './rights.js';
import { type Begun, beginSession, type Client, isRecent } from './sessions.js';

export type { Passkey };

export const mostPasskeys = 10;
const mostNameLength = 60;
const challengeMs = 5 * 60_000;
const mostResponseLength = 20_000;

/** The console as authenticators know it: passkeys are bound to the host, and answers to the origin. */
export interface Site {
  /** `https://hr-files.example`. */
  origin: string;
  /** Its host name. */
  host: string;
}

/** null: an address without a name can have no passkeys. */
export function siteOf(origin: string): Site | null {
  if (!URL.canParse(origin)) return null;
  const { hostname } = new URL(origin);
  return /^[\d.]+$|^\[/.test(hostname) ? null : { origin, host: hostname };
}

export async function listPasskeysOf({ control }: Workplace, { id }: Account): Promise<Passkey[]> {
  return listPasskeys(control.read, id);
}

/** The options of `navigator.credentials.create()`, for this session. @throws OperationError `refused` */
export async function beginPasskey(
  workplace: Workplace,
  account: Account,
  session: AccountSession,
  { host }: Site,
): Promise<object> {
  await requireAllowed(workplace, account, session);
  const known = await listPasskeys(workplace.control.read, account.id);
  if (known.length >= mostPasskeys) throw tooMany();
  const challenge = randomBytes(32);
  await keepChallenge(workplace, 'newPasskey', session.id, challenge);
  return generateRegistrationOptions({
    ...{ rpName: 'Dropslot', rpID: host, userName: account.email, userDisplayName: account.email },
    userID: new Uint8Array(Buffer.from(account.id, 'utf8')),
    challenge: new Uint8Array(challenge),
    excludeCredentials: known.map(({ credential }) => ({ id: credential })),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    attestationType: 'none',
    timeout: challengeMs,
  });
}

/** Adds the passkey that a browser made. @param given JSON @throws OperationError `refused`, `usage` */
export async function addPasskey(
  workplace: Workplace,
  account: Account,
  session: AccountSession,
  { origin, host }: Site,
  { name: wanted, given }: { name: string; given: string },
): Promise<Passkey> {
  await requireAllowed(workplace, account, session);
  const name = wanted.trim();
  if (name === '' || name.length > mostNameLength || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name))
    throw new OperationError('usage', `the passkey needs a name of 1 to ${mostNameLength} characters`);
  const { control, now, actor } = workplace;
  const challenge = await useChallenge(workplace, 'newPasskey', session.id);
  const made = await verifyRegistrationResponse({
    response: parse<RegistrationResponseJSON>(given),
    ...{ expectedChallenge: challenge, expectedOrigin: origin, expectedRPID: host },
    requireUserVerification: true,
  }).catch((cause: Error) => {
    throw new OperationError('usage', 'the browser made no usable passkey: try it again', { cause });
  });
  if (!made.verified) throw new OperationError('usage', 'the browser made no usable passkey: try it again');
  const { id: credential, publicKey, counter } = made.registrationInfo.credential;
  const at = now();
  const passkey = {
    ...{ id: `psk_${randomBytes(8).toString('hex')}`, account: account.id, name, credential, counter, createdAt: at },
    publicKey: Buffer.from(publicKey).toString('base64url'),
  };
  await control.transact(async (tx) => {
    if ((await lockAccount(tx, { id: account.id })) === null)
      throw new OperationError('not_found', 'the account was removed');
    // An invitation that was accepted meanwhile has ended it, and is the only way in.
    if (!(await lockSession(tx, account.id, session.id))) throw endedSession();
    if ((await listPasskeys(tx, account.id)).length >= mostPasskeys) throw tooMany();
    if ((await findPasskey(tx, credential)) !== null)
      throw new OperationError('refused', 'this passkey was added before');
    await insertPasskey(tx, passkey);
    const event = { at, org: account.org, actor, action: 'account.passkey_added', subject: account.email };
    await recordAudit(tx, { ...event, detail: { id: passkey.id, name } });
  });
  return { ...passkey, usedAt: null };
}

/** @throws OperationError `not_found` */
export async function removePasskey(workplace: Workplace, account: Account, id: string): Promise<void> {
  const { control, now, actor } = workplace;
  await control.transact(async (tx) => {
    const removed = await deletePasskey(tx, account.id, id);
    if (removed === null) throw new OperationError('not_found', 'this passkey was removed already');
    const event = { at: now(), org: account.org, actor, action: 'account.passkey_removed', subject: account.email };
    await recordAudit(tx, { ...event, detail: { id, name: removed.name } });
  });
}

export interface BegunPasskeySignIn {
  /** Of `navigator.credentials.get()`. */
  options: object;
  /** Of the browser's cookie. */
  secret: string;
}

/** Names no account: the authenticator knows its passkeys. */
export async function beginPasskeySignIn(workplace: Workplace, { host }: Site): Promise<BegunPasskeySignIn> {
  const challenge = randomBytes(32);
  const secret = randomBytes(32).toString('base64url');
  await keepChallenge(workplace, 'passkey', secret, challenge);
  const options = await generateAuthenticationOptions({
    ...{ rpID: host, challenge: new Uint8Array(challenge), userVerification: 'required', timeout: challengeMs },
  });
  return { options, secret };
}

/** `outdated`: the challenge was used, or is of another browser; `wrong`: no passkey of an account that may use one. */
export async function signInByPasskey(
  workplace: Workplace,
  { secret, given }: { secret: string; given: string },
  { origin, host }: Site,
  client: Client,
): Promise<Begun | 'outdated' | 'wrong'> {
  const { control, now } = workplace;
  const challenge = await useChallenge(workplace, 'passkey', secret).catch(() => null);
  if (challenge === null) return 'outdated';
  const response = tryParse<AuthenticationResponseJSON>(given);
  const passkey = typeof response?.id === 'string' ? await findPasskey(control.read, response.id) : null;
  if (response === null || passkey === null) return 'wrong';
  const { id, credential, publicKey, counter } = passkey;
  const checked = await verifyAuthenticationResponse({
    response,
    ...{ expectedChallenge: challenge, expectedOrigin: origin, expectedRPID: host },
    credential: { id: credential, publicKey: new Uint8Array(Buffer.from(publicKey, 'base64url')), counter },
    requireUserVerification: true,
  }).catch(() => null);
  if (checked?.verified !== true) return 'wrong';
  const account = await findAccount(control.read, { id: passkey.account });
  const handle = response.response.userHandle;
  const isOfAccount = handle === Buffer.from(passkey.account, 'utf8').toString('base64url');
  if (account === null || !isOfAccount || !(await mayUsePassword(workplace, account))) return 'wrong';
  const { newCounter } = checked.authenticationInfo;
  // Two answers with one count are of two authenticators, one of which is a copy; and a passkey that was removed meanwhile lets no one in.
  const use = (tx: Queryable) => notePasskeyUse(tx, id, newCounter, now());
  const proof = { method: 'passkey', factor: `passkey ${id}` } as const;
  const begun = await beginSession(workplace, account, client, proof, (_, tx) => use(tx));
  return begun === null ? 'wrong' : { account: withoutSecrets(account), secret: begun };
}

/** @throws OperationError `refused` */
async function requireAllowed(workplace: Workplace, account: Account, session: AccountSession): Promise<void> {
  if (!isRecent(workplace, session))
    throw new OperationError('refused', 'you signed in some time ago: sign in again, then add the passkey');
  if (!(await mayUsePassword(workplace, account)))
    throw new OperationError('refused', 'this account signs in at its provider, and has no passkeys');
}

function tooMany(): OperationError {
  return new OperationError(
    'refused',
    `an account has ${mostPasskeys} passkeys at most: remove one that you do not use`,
  );
}

type Kind = 'passkey' | 'newPasskey';

async function keepChallenge({ control, now }: Workplace, kind: Kind, of: string, challenge: Buffer): Promise<void> {
  const at = now();
  const data = { challenge: challenge.toString('base64url') };
  const times = { createdAt: at, expiresAt: at + challengeMs };
  await control.transact((tx) => putChallenge(tx, { hash: hashChallenge(kind, of), kind, data, ...times }));
}

/** @throws OperationError `usage` */
async function useChallenge({ control, now }: Workplace, kind: Kind, of: string): Promise<string> {
  const found = await takeChallenge(control.write, hashChallenge(kind, of), kind, now());
  if (found === null) throw new OperationError('usage', 'the request has expired: try it again');
  return String(found.challenge);
}

function hashChallenge(kind: Kind, of: string): string {
  return createHash('sha256').update(`${kind} ${of}`).digest('hex');
}

/** @throws OperationError `usage` */
function parse<T>(given: string): T {
  const found = tryParse<T>(given);
  if (found === null) throw new OperationError('usage', 'the browser made no usable passkey: try it again');
  return found;
}

function tryParse<T>(given: string): T | null {
  try {
    const found: unknown = given.length > mostResponseLength ? null : JSON.parse(given);
    return typeof found === 'object' ? (found as T) : null;
  } catch {
    return null;
  }
}
