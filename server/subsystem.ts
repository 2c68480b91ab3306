/** Serves one SFTP session on standard input and output, as the subsystem of an OpenSSH sshd. */
import type { Readable, Writable } from 'node:stream';
import type { Settings } from '../config/settings.js';
import { tuneCollector } from './garbagecollector.js';
import { type Session, type SessionEnd, type SessionOptions, servePipes } from './sftp/session.js';

export interface SubsystemOptions extends Omit<SessionOptions, 'maxHandles' | 'onRequest' | 'outlet'> {
  settings: Pick<Settings, 'idleMinutes' | 'maxHandles'>;
  /** Once it resolves the session ends; uploads in progress publish nothing. */
  stop: Promise<unknown>;
  /** Gets the session when it starts. */
  onStart?: (session: Session) => void;
}

/** Resolves when every request has ended and the client has received the answers, or has left. */
export async function serveSubsystem(
  input: Readable,
  output: Writable,
  { settings, stop, onStart, ...options }: SubsystemOptions,
): Promise<SessionEnd> {
  tuneCollector();
  const idle = setTimeout(() => session.abort(), settings.idleMinutes * 60_000);
  const onRequest = (): void => void idle.refresh();
  const session = servePipes(input, output, { ...options, maxHandles: settings.maxHandles, onRequest });
  onStart?.(session);
  options.intake.memory.onStalled = (heldBytes) => {
    options.logger.warn('session ended', { reason: 'memory held without progress', heldBytes });
    session.abort();
  };
  void stop.then(() => session.abort());
  const end = await session.ended;
  clearTimeout(idle);
  const { tally } = session;
  options.logger.info('session ended', { end, ...tally });
  await finish(output, end === 'aborted' ? abortedMs : closeGraceMs);
  return end;
}

/** How long a client may take to receive the last answers; shorter when the server ends the session. */
const closeGraceMs = 10_000;
const abortedMs = 200;

function finish(output: Writable, mostMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, mostMs);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    output.once('close', done).end(done);
  });
}
