/** Answers a client's authentication requests, by key or password: bounds their number, and gives every refusal the same answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  AuthContext,
  AuthenticationType,
  Connection as Client,
  PasswordAuthContext,
  PublicKeyAuthContext,
} from 'ssh2';
import type { Logger } from '../../config/logger.js';
import {
  type Authenticator,
  credentialOf,
  type Denial,
  type Login,
  passwordCredentialOf,
} from '../../keys/login/authenticate.js';
import { fingerprintOf } from '../../keys/login/fingerprint.js';
import { type Proof, signsWithSha1, verifyProof } from '../../keys/login/loginsignature.js';
import { createHints, type Hints } from './hints.js';
import { confirmSignatureAlgorithm } from './ssh2fixes.js';

export interface LoginDeps {
  authenticator: Authenticator;
  logger: Logger;
  address: string | null;
  /** Attempts that one connection may make. */
  maxAttempts: number;
  /** Whether login keys that an operator allowed SHA-1 may use it on this listener. */
  takesSha1: boolean;
  /** Where customers get help; undefined: not told. */
  contact: string | undefined;
  /** No login came from its address lately: its user may have a password and no key, and may need to hear that. */
  isStranger: boolean;
  /** Resolves when it is this connection's turn: milliseconds for which the key or password is not checked, after too many failures; 0: it is. */
  admitAttempt(user: string, credential: string, kind: 'key' | 'password'): Promise<number>;
  /** Called for each refused attempt of the user; it counts as an offence unless a login follows. */
  onRefusal(user: string): void;
  /** Whether the log's rate limit allows one more such line. */
  mayLog(message: string): boolean;
  /** Called with a proven login; false: the organization has as many connections as it may, or the connection has ended. */
  acceptLogin(login: Login): Promise<boolean>;
  /** Ends the connection; `offence` null: the client did nothing wrong. */
  close(reason: string, offence?: null): void;
  /**
   * Called once for each refused key. `isProven` is rare: clients sign only for accepted keys. `isOwn`: a key of the organization,
   * which not every client can offer.
   */
  recordRefusal(org: string, denial: Denial, isProven: boolean, isOwn: boolean): void;
}

/** Passwords can be guessed: one connection may try this many, and waits this long for each refusal. */
const mostPasswords = 2;
const passwordRefusalMs = 2000;

/** Answers every authentication request of `client` until one is accepted. */
export function serveLogin(client: Client, deps: LoginDeps): void {
  const visit: Visit = { deps, hints: createHints(client, deps), logged: new Set(), offered: null };
  let attempts = 0;
  let passwords = 0;
  let methods: Promise<AuthenticationType[]> | null = null;
  client.on('authentication', (context) => {
    if (context.method !== 'none') attempts++;
    if (!['none', 'publickey', 'password'].includes(context.method)) deps.onRefusal(context.username);
    if (attempts > deps.maxAttempts) {
      deps.close('too many login attempts');
      return;
    }
    if (methods === null) {
      methods = listMethods(deps.authenticator);
      // A login that succeeds or fails otherwise never awaits the list: its rejection must not end the process.
      methods.catch(() => {});
    }
    if (context.method === 'password') passwords++;
    const answer =
      context.method === 'password' && passwords <= mostPasswords
        ? judgePassword(context, visit, methods)
        : judge(context, visit, methods);
    answer.catch((error: Error) => {
      if (deps.mayLog('login check failed'))
        deps.logger.error('could not check a login; closing the connection', { detail: error.message });
      deps.close('login not possible now', null);
    });
  });
}

/** The authentication of one connection. */
interface Visit {
  deps: LoginDeps;
  hints: Hints;
  /** The refusals logged so far: clients ask for each key twice, without and with a signature. */
  logged: Set<string>;
  /** The key that was accepted without a signature last. */
  offered: { user: string; key: Buffer; login: Login; at: number } | null;
}

/**
 * A signature that comes within this time (ms) needs no second look at the database. A login that was revoked in between is found by the
 * next review of open logins, well within the second in which a revoked session ends.
 */
const offeredMs = 400;

/** As Authenticator.authenticate. */
async function authenticate({ username, key, signature }: PublicKeyAuthContext, visit: Visit): Promise<Login | Denial> {
  const { offered } = visit;
  visit.offered = null;
  const now = performance.now();
  const isOffered = offered?.user === username && offered.key.equals(key.data) && now - offered.at < offeredMs;
  if (signature !== undefined && isOffered) return offered.login;
  const outcome = await visit.deps.authenticator.authenticate(username, key.data, visit.deps.address);
  if (signature === undefined && !('denied' in outcome))
    visit.offered = { user: username, key: Buffer.from(key.data), login: outcome, at: now };
  return outcome;
}

async function judge(context: AuthContext, visit: Visit, methods: Promise<AuthenticationType[]>): Promise<void> {
  const { deps, hints, logged } = visit;
  if (context.method !== 'publickey') {
    if (context.method === 'password') deps.onRefusal(context.username);
    const offered = await methods;
    hints.tellMethods(context.method, offered);
    context.reject(offered);
    return;
  }
  const { key, signature } = context;
  const waitMs = await deps.admitAttempt(context.username, credentialOf(key.data), 'key');
  if (waitMs > 0) {
    leaveUnchecked(context, fingerprintOf(key.data), waitMs, visit);
    context.reject(await methods);
    return;
  }
  const outcome = await authenticate(context, visit);
  // A signature costs the same time for every user name.
  const isProven = signature !== undefined && verifyProof(proofOf(context), deps.takesSha1);
  const refusal = refuseWhy(context, outcome, isProven, deps.takesSha1);
  if (refusal !== null) {
    logRefusal(context, fingerprintOf(key.data), refusal, visit);
    deps.onRefusal(context.username);
    recordRefusal(context.username, 'denied' in outcome ? outcome : denyFor(outcome, context), isProven, deps, logged);
    context.reject(await methods);
    return;
  }
  if (isProven && !(await deps.acceptLogin(outcome as Login))) return;
  confirmSignatureAlgorithm(context);
  context.accept();
}

function logRefusal({ username }: AuthContext, key: string, reason: string, { deps, logged }: Visit): void {
  const details = { user: describeUser(username), key, reason };
  if (!logged.has(JSON.stringify(details)) && deps.mayLog('login refused')) deps.logger.warn('login refused', details);
  logged.add(JSON.stringify(details));
}

function leaveUnchecked(context: AuthContext, key: string, waitMs: number, visit: Visit): void {
  logRefusal(context, key, 'not checked, after too many failed logins from its address', visit);
  visit.hints.tellWait(waitMs);
}

/** The same list for every user: it must not reveal which organization has a password. */
async function listMethods(authenticator: Authenticator): Promise<AuthenticationType[]> {
  return (await authenticator.offersPasswords()) ? ['publickey', 'password'] : ['publickey'];
}

async function judgePassword(
  context: PasswordAuthContext,
  visit: Visit,
  methods: Promise<AuthenticationType[]>,
): Promise<void> {
  const { deps, hints, logged } = visit;
  const credential = passwordCredentialOf(context.password);
  const waitMs = await deps.admitAttempt(context.username, credential, 'password');
  if (waitMs > 0) {
    leaveUnchecked(context, '(a password)', waitMs, visit);
    context.reject(await methods);
    return;
  }
  // At once: a client that disconnects before the delayed answer has guessed, too.
  deps.onRefusal(context.username);
  const earliest = sleep(passwordRefusalMs, undefined, { ref: false });
  const isOffered = (await methods).includes('password');
  if (isOffered) {
    const outcome = await deps.authenticator.authenticatePassword(context.username, context.password, deps.address);
    if (!('denied' in outcome)) {
      if (await deps.acceptLogin(outcome)) context.accept();
      return;
    }
    logRefusal(context, outcome.fingerprint, outcome.denied, visit);
    recordRefusal(context.username, outcome, true, deps, logged);
    await earliest;
  }
  hints.tellMethods(context.method, await methods);
  context.reject(await methods);
}

/** Any client that knows an organization's name can cause these. */
const anonymousDenials: readonly string[] = [
  'unknown organization',
  'unknown key',
  'unknown authority',
  'malformed certificate',
  'wrong password',
  'too many passwords at once',
];

/**
 * Records refusals of an organization's own keys, also in the audit trail, and of other keys for its operator, each at a bounded
 * rate: nothing that any client can cause reaches the audit trail.
 */
function recordRefusal(org: string, denial: Denial, isProven: boolean, deps: LoginDeps, logged: Set<string>): void {
  if (['unknown organization', 'too many passwords at once'].includes(denial.denied)) return;
  const isOwn = !anonymousDenials.includes(denial.denied);
  const kind = isOwn ? 'refusal in the audit trail' : `refusal of a key that ${org} does not have`;
  if (logged.has(denial.fingerprint) || !deps.mayLog(kind)) return;
  logged.add(denial.fingerprint);
  deps.recordRefusal(org, denial, isProven, isOwn);
}

/** A key that may log in, with a signature that does not count. */
function denyFor({ fingerprint, credential }: Login, context: PublicKeyAuthContext): Denial {
  return {
    denied: signsWithSha1(proofOf(context)) ? 'signature with SHA-1' : 'wrong signature',
    ...{ fingerprint, credential },
  };
}

/** null: not refused. The reason is for the log alone. */
function refuseWhy(
  context: PublicKeyAuthContext,
  outcome: Awaited<ReturnType<Authenticator['authenticate']>>,
  isProven: boolean,
  takesSha1: boolean,
): string | null {
  if ('denied' in outcome) return outcome.denied;
  if (signsWithSha1(proofOf(context)) && !(takesSha1 && outcome.allowsSha1))
    return 'the client signs with SHA-1 only: the customer needs a newer client, or an Ed25519 or ECDSA key';
  return context.signature !== undefined && !isProven ? 'wrong signature' : null;
}

function proofOf({ key, blob, signature, hashAlgo }: PublicKeyAuthContext): Proof {
  return { algorithm: key.algo, key: key.data, hashAlgo, blob, signature };
}

/** People type passwords into the user name: logs only a name that could be an organization's. */
function describeUser(username: string): string {
  return /^[a-z0-9][a-z0-9._-]{0,63}$/i.test(username) ? username : '(no organization id)';
}
