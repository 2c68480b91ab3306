/** Runs `dropslot sftp-server`: identifies and admits the client, serves its session, and ends without losing an upload. */
import { createWriteStream, statSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SubsystemRequest } from '../cli/app.js';
import { readSshdVariables, type SshdVariables, systemUser } from '../config/environment.js';
import { createLogger, type Logger, openSyslog } from '../config/logger.js';
import { pathsOf } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import { recordAudit } from '../db/control/audit.js';
import { touchLoginKey } from '../db/control/keys.js';
import { noteAttempt } from '../db/control/loginattempts.js';
import { shareLock } from '../db/lock.js';
import { actorOf } from '../intake/publish.js';
import type { Sender } from '../intake/types.js';
import type { Login } from '../keys/login/authenticate.js';
import { noKey } from '../keys/login/sshdlogin.js';
import { OperationError } from '../operations/error.js';
import { createSessionRegister } from '../server/sessionregister.js';
import { createSessionLimits } from '../server/ssh/sessionlimits.js';
import { asksForSftp, identifySshdLogin } from '../server/sshd.js';
import { serveSubsystem } from '../server/subsystem.js';
import { composeSession, type SessionParts } from './compose.js';
import { dieOfDefects } from './defects.js';

/** A starting server recovers incomplete uploads, and sessions wait meanwhile. */
const recoveryWaitMs = 60_000;
const logMs = 2000;

/**
 * Serves one session on standard input and output. Resolves with the process's exit code.
 * @throws OperationError with a sentence for the client, who may see standard error; the log has the cause
 */
export async function runSubsystem(settings: Settings, choice: SubsystemRequest): Promise<number> {
  process.umask(0o077);
  const stop = listenForStop();
  const variables = readSshdVariables();
  const target = openLog(choice.log ?? (variables.connection === null ? 'stderr' : 'syslog'));
  const logger = createLogger(settings, target ?? undefined).child({ org: choice.org });
  // Its stack is not sent to the client.
  dieOfDefects(logger, 'uncaught error; the session ends', () => setImmediate(() => process.exit(1)));
  try {
    return await serve(settings, choice, variables, logger, stop);
  } catch (error) {
    if (error instanceof Refusal) throw new OperationError('refused', error.message);
    logger.error('could not serve the session; the client may try again later', {
      reason: (error as Error).message,
    });
    // Without an sshd, only the operator sees standard error.
    if (variables.connection === null) throw error;
    throw new OperationError('unavailable', 'SFTP is not available now; try again later, or ask the operator');
  } finally {
    if (target !== null) await closeLog(target);
  }
}

/** The client is not admitted; the message is for the client. */
class Refusal extends Error {}

async function serve(
  settings: Settings,
  choice: SubsystemRequest,
  variables: SshdVariables,
  logger: Logger,
  stop: Stop,
): Promise<number> {
  if (!asksForSftp(variables) || process.stdin.isTTY === true) {
    logger.warn('session refused', { reason: 'no SFTP client' });
    throw new Refusal('this account is for SFTP only');
  }
  requireOwner(pathsOf(settings).data);
  const lock =
    settings.database === 'sqlite'
      ? await shareLock(pathsOf(settings).sessionsLock, settings.sqliteDriver, recoveryWaitMs)
      : null;
  const parts = await composeSession(settings, choice.org, logger);
  const register = createSessionRegister({ control: parts.control, logger, now: parts.now, kind: 'sshd' });
  let release = () => {};
  try {
    const client = await identifySshdLogin(variables);
    const sender: Sender = { ...client, client: `sftp-server (${systemUser()})` };
    const login = await admit(parts, sender, logger);
    release = parts.access.guard(login, sender.address, (reason) => {
      logger.warn('session ended', { reason });
      stop.ask();
    });
    // Other processes are unknown here, so that one session gets the whole share of its organization.
    const share = createSessionLimits(settings, parts.now).openConnection(login.org);
    const end = await serveSubsystem(process.stdin, process.stdout, {
      ...parts.openSession(sender),
      settings,
      ...(share !== null && { handleShare: share.handles, buckets: share.buckets }),
      logger,
      now: parts.now,
      readOnly: choice.readOnly,
      uploadOnly: login.permission === 'upload',
      stop: stop.asked,
      onStart: (session) =>
        register.add({
          ...{
            org: login.org.id,
            fingerprint: login.fingerprint,
            address: sender.address,
            client: sender.client ?? '',
          },
          progress: () => session.progress,
          end: (by) => {
            logger.warn('session ended', { reason: `ended by ${by}` });
            stop.ask();
          },
        }),
    });
    return end === 'closed' ? 0 : 1;
  } finally {
    release();
    await register.stop();
    await parts.close();
    await lock?.release();
  }
}

/** sshd has authenticated the client; the organization must be enabled, and a key that Dropslot knows must be valid. */
async function admit({ control, org, logins, now }: SessionParts, sender: Sender, logger: Logger): Promise<Login> {
  const { keyFingerprint, address, client } = sender;
  const fingerprint = keyFingerprint ?? noKey;
  const login: Login = {
    org,
    fingerprint,
    credential: fingerprint,
    permission: 'read',
    allowsSha1: false,
    validUntil: null,
    certificate: null,
  };
  const outcome = await logins.admit(login, address);
  if ('denied' in outcome) {
    const { denied: reason } = outcome;
    logger.warn('session refused', { key: keyFingerprint, address, reason });
    const event = { at: now(), org: org.id, actor: actorOf(sender), action: 'login.refused' };
    await control.transact(async (tx) => {
      await noteAttempt(tx, {
        org: org.id,
        fingerprint,
        credential: fingerprint,
        at: event.at,
        address,
        client,
        reason,
      });
      await recordAudit(tx, { ...event, subject: org.id, detail: { reason, address, client } });
    });
    throw new Refusal('this account is closed; ask the operator');
  }
  logger.info('session began', { key: keyFingerprint, address });
  const at = now();
  const event = { at, org: org.id, actor: actorOf(sender), action: 'login.accepted', subject: org.id };
  await control.transact(async (tx) => {
    if (keyFingerprint !== null) await touchLoginKey(tx, org.id, keyFingerprint, { at, address, client });
    await noteAttempt(tx, { org: org.id, fingerprint, credential: fingerprint, at, address, client, reason: null });
    await recordAudit(tx, { ...event, detail: { permission: outcome.permission, address, client } });
  });
  return outcome;
}

/** The server could not open files of another owner in the data folder. */
function requireOwner(data: string): void {
  const own = process.geteuid?.();
  const { uid } = statSync(data);
  if (own !== undefined && uid !== own)
    throw new OperationError(
      'refused',
      `runs as ${systemUser()} (user id ${own}), but ${data} belongs to user id ${uid}: let sshd run it as that user`,
    );
}

/** null: standard error. */
function openLog(where: string): Writable | null {
  if (where === 'stderr') return null;
  const complain = (reason: string): void =>
    void process.stderr.write(`dropslot: could not write the log: ${reason}\n`);
  if (where === 'syslog') return openSyslog('dropslot', complain);
  return createWriteStream(where, { flags: 'a', mode: 0o600 }).on('error', (cause) => complain(cause.message));
}

/** A log that accepts no data must not keep the client waiting. */
async function closeLog(target: Writable): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    target.once('error', () => resolve()).end(() => resolve());
  });
  await Promise.race([closed, sleep(logMs, undefined, { ref: false })]);
}

/** Resolves at the first request to end the session. */
interface Stop {
  readonly asked: Promise<void>;
  ask(): void;
}

/** sshd sends a signal when the connection or the machine goes down. */
function listenForStop(): Stop {
  let ask!: () => void;
  const asked = new Promise<void>((resolve) => {
    ask = resolve;
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => ask());
  return { asked, ask };
}
