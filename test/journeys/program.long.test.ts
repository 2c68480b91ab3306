/** The package in another program: its types alone suffice to a strict compiler, and the example keeps its table in step. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import { newKeyPair } from '../support/keys.js';
import { installPackage, packageRoot } from '../support/package.js';
import { askDropslot, runDropslot } from '../support/program.js';
import { until } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';

const patienceMs = 60_000;

/** Compiles with an error in each line that must have one. */
const program = `
import { createDropslot, DropslotError, type Dropslot, type DropslotEvent, type HandlerState } from 'dropslot';

const dropslot: Dropslot = createDropslot({
  settings: { data: './data', port: 0, idleMinutes: '20m', listen: ['127.0.0.1:2222'] },
  importHooks: {
    version: '2',
    async beforeImport({ name, bytes }) { if (bytes > 10) return { refuse: name }; },
    mapRow: ({ Mail, ...row }) => ({ ...row, 'User Email': Mail }),
    beforeApply: (plan) => (plan.users.created > 5 ? { hold: 'many' } : null),
  },
  logger: { error: (message, details) => [message, details['org']], warn() {}, info() {} },
});
dropslot
  .on('user.created', (event) => { const email: string | undefined = event.data.email; return void email; }, { name: 'a', personal: true })
  .on(['run.held', 'user.*'], async (event, { signal }) => { if (!signal.aborted && event.type === 'run.held') event.data.run.toFixed(); }, { name: 'b' })
  .on('*', (event: DropslotEvent) => event.id.length === 0 ? undefined : undefined, { name: 'c', org: 'acme', timeLimitSeconds: 5 });
const { listeners } = await dropslot.start();
const port: number = listeners[0]!.port;
const states: HandlerState[] = await dropslot.handlers();
const error: unknown = new DropslotError('usage', 'x');
if (error instanceof DropslotError && error.code === 'unavailable') await dropslot.stop();
export { port, states };
// @ts-expect-error no type of event
dropslot.on('user.creatd', () => {}, { name: 'd' });
// @ts-expect-error a handler needs a name
dropslot.on('user.created', () => {}, {});
// @ts-expect-error no setting
createDropslot({ settings: { prot: 1 } });
// @ts-expect-error no hook
createDropslot({ importHooks: { beforeimport() {} } });
// @ts-expect-error a run has no such data
dropslot.on('run.held', ({ data }) => void data.email, { name: 'e' });
`;

/** Node.js and the compiler find the package from each folder below. */
const place = temporaryFolder({ after });
const { home } = installPackage(place);

test('the types of the package need no other types, and a strict compiler takes them', () => {
  const folder = join(place, 'typed');
  mkdirSync(folder);
  const options = { strict: true, noEmit: true, module: 'nodenext', target: 'es2022', types: [] };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(join(folder, 'program.ts'), program);
  writeFileSync(
    join(folder, 'browser.ts'),
    `${program}\ndropslot.on('*', async (_event, { signal }) => void (await fetch('http://x', { signal })), { name: 'f' });`,
  );
  cpSync(join(packageRoot, 'examples', 'embedded'), folder, {
    recursive: true,
    filter: (path) => !path.endsWith('package.json'),
  });
  const tsc = join(packageRoot, 'node_modules', '.bin', 'tsc');
  for (const [lib, files] of [
    [['es2022'], ['program.ts']],
    [['es2022', 'dom'], ['browser.ts']],
  ] as const) {
    const config = { compilerOptions: { ...options, lib, skipLibCheck: false }, files };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    execFileSync(tsc, ['-p', folder], { encoding: 'utf8', stdio: 'pipe' });
  }
});

interface Service {
  child: ChildProcess;
  port: number;
  exited: Promise<unknown>;
}

async function startService(t: TestContext, folder: string): Promise<Service> {
  const child = spawn(process.execPath, ['service.js', 'own', '0'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  let output = '';
  child.stdout!.on('data', (text) => {
    output += text;
  });
  const portOf = () => Number(/SFTP on port (\d+)/.exec(output)?.[1] ?? 0);
  await until(() => portOf() > 0, 'the service listens', patienceMs);
  return { child, port: portOf(), exited };
}

test('the example keeps its table of users in step, also when it is killed while it gets events', async (t) => {
  const folder = join(place, 'service');
  cpSync(join(packageRoot, 'examples', 'embedded'), folder, { recursive: true });
  const options = { data: join(folder, 'own', 'dropslot'), entry: join(home, 'dist', 'app', 'main.js') };
  const key = newKeyPair();
  const publicKey = join(folder, 'login.pub');
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], options);
  await askDropslot(['keys', 'add', 'acme', publicKey], options);

  const readAll = openTable(join(folder, 'own', 'users.db'));
  const table = async () =>
    (await readAll('SELECT email, name, active FROM users ORDER BY email')).map((row) => Object.values(row).join(' '));
  const send = async (port: number, text: string) => {
    const client = new SftpClient();
    client.on('error', () => {});
    await client.connect({ host: '127.0.0.1', port, username: 'acme', privateKey: key.private });
    await client.put(Buffer.from(text), '/people.csv');
    await client.end();
    const { code, stderr } = await runDropslot(['import', 'acme'], { ...options, timeoutMs: patienceMs });
    assert.equal(code, 0, stderr);
  };
  const count = 120;
  const numbers = Array.from({ length: count }, (_, n) => String(n).padStart(4, '0'));
  const rows = (name: (n: string) => string) => numbers.map((n) => `u${n}@acme.test,${name(n)}\n`).join('');

  const first = await startService(t, folder);
  await send(first.port, `Mail,User Name\n${rows((n) => `User ${n}`)}`);
  await until(async () => (await table()).length > 20, 'the first events are handled', patienceMs);
  first.child.kill('SIGKILL');
  await first.exited;

  const second = await startService(t, folder);
  const all = numbers.map((n) => `u${n}@acme.test User ${n} 1`);
  await until(async () => (await table()).length === count, 'the rest is handled', patienceMs);
  assert.deepEqual(await table(), all);
  await send(second.port, 'Mail,User Name,Deactivation Date\nu0001@acme.test,Renamed,\nu0002@acme.test,,2020-01-01\n');
  await until(async () => (await table()).includes('u0001@acme.test Renamed 1'), 'the name is changed', patienceMs);
  const listed = await askDropslot<{ id: string }[]>(['events', 'list', '--org', 'acme', '--type', 'user.*'], options);
  // The owner was created before the service had its handler.
  const events = listed.slice(1);
  await until(
    async () => (await readAll('SELECT event FROM handled')).length === events.length,
    'all are handled',
    patienceMs,
  );
  const [handler] = await askDropslot<{ name: string; state: string; failures: number }[]>(
    ['handlers', 'list'],
    options,
  );
  assert.deepEqual([handler!.name, handler!.state, handler!.failures], ['users-table', 'enabled', 0]);
  second.child.kill('SIGTERM');
  const [code] = (await second.exited) as [number];
  assert.equal(code, 0);
});

/** Reads the service's own database. */
function openTable(file: string) {
  const sqlite3 = createRequire(import.meta.url)('sqlite3') as typeof import('sqlite3');
  return (sql: string): Promise<Record<string, unknown>[]> =>
    new Promise((resolve, reject) => {
      const db = new sqlite3.Database(file, sqlite3.OPEN_READONLY, (error) => {
        // The service has not made it yet.
        if (error) return resolve([]);
        db.all(sql, (failure, found) => {
          db.close();
          if (failure) reject(failure);
          else resolve(found as Record<string, unknown>[]);
        });
      });
    });
}
