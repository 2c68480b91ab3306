/** An SFTP session without a network: the two ends of a stream, a space in memory, and a client that says what it is told. */
import { duplexPair, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import winston from 'winston';
import { createSilentLogger } from '../../config/logger.js';
import { type Session, type SessionOptions, serveStream } from '../../server/sftp/session.js';
import { type MemorySpace, memorySpace } from './memory.js';
import type { Scope } from './temporary.js';
import { Wire } from './wire.js';

export interface SessionUnderTest {
  wire: Wire;
  session: Session;
  memory: MemorySpace;
}

/** A session after INIT. `chunkBytes`: the client's bytes arrive in pieces of this size. */
export async function openSession(
  scope: Scope,
  { chunkBytes, ...options }: Partial<SessionOptions> & { chunkBytes?: number } = {},
): Promise<SessionUnderTest> {
  const [client, server] = duplexPair();
  const memory = memorySpace();
  const session = serveStream(server, {
    space: memory.space,
    intake: memory.intake,
    logger: createSilentLogger(),
    now: () => Date.UTC(2026, 1, 1),
    maxHandles: 20,
    ...options,
  });
  scope.after(() => {
    client.destroy();
    server.destroy();
  });
  const wire = new Wire(client, chunkBytes);
  await wire.initialize();
  return { wire, session, memory };
}

/** A logger that keeps what it is told, as JSON lines. */
export function keepingLogger(level = 'debug'): { logger: winston.Logger; lines: string[] } {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const transports = [new winston.transports.Stream({ stream })];
  return { logger: winston.createLogger({ level, transports }), lines };
}

/** Waits until something holds, and fails after a while. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, withinMs = 30_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await sleep(5); // turning without rest would take the time of what it waits for
  }
}
