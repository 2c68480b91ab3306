/** Dropslot inside another program: starts and stops with it, calls its hooks and handlers, and leaves the program its own. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import type { DropslotOptions } from '../../app/embed/api.d.ts';
import { createDatabase } from '../support/databases.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, runDropslot } from '../support/program.js';
import { until } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';

const built = new URL('../../dist/app/embed/dropslot.js', import.meta.url).href;
const { createDropslot, DropslotError } = (await import(built)) as typeof import('../../app/embed/api.d.ts');

const patienceMs = 60_000;

type Line = { level: string; message: string; [detail: string]: unknown };

/** On a free port of the loopback; `log` has all lines. */
function open(t: TestContext, { settings, ...more }: DropslotOptions = {}) {
  const data = String(settings?.data ?? temporaryFolder(t));
  const log: Line[] = [];
  const keep = (level: string) => (message: string, details: object) => void log.push({ level, message, ...details });
  const logger = { error: keep('error'), warn: keep('warn'), info: keep('info') };
  const dropslot = createDropslot({ settings: { host: '127.0.0.1', port: 0, ...settings, data }, logger, ...more });
  t.after(() => dropslot.stop());
  return { dropslot, data, log };
}

/** An organization that may log in; sends a file. */
async function addAcme(data: string, env: Record<string, string> = {}) {
  const key = newKeyPair();
  const publicKey = join(data, 'login.pub');
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], { data, env });
  await askDropslot(['keys', 'add', 'acme', publicKey], { data, env });
  return async (port: number, path: string, text: string) => {
    const client = new SftpClient();
    client.on('error', () => {});
    await client.connect({ host: '127.0.0.1', port, username: 'acme', privateKey: key.private });
    await client.put(Buffer.from(text), path);
    await client.end();
  };
}

/** Of the process: all that a library could take over. */
function stateOfProcess() {
  const names = [
    'SIGTERM',
    'SIGINT',
    'SIGHUP',
    'SIGPIPE',
    'exit',
    'uncaughtException',
    'unhandledRejection',
    'warning',
  ];
  return {
    listeners: names.map((name) => `${name} ${process.listenerCount(name)}`),
    env: { ...process.env },
    exitCode: process.exitCode,
    umask: process.umask(),
    folder: process.cwd(),
  };
}

const require = createRequire(import.meta.url);

test('functions map rows, hold a run and hear of its end; handlers get the events; the process remains its own', async (t) => {
  const before = stateOfProcess();
  // Dropslot extends it for itself; the program's own remains as it is.
  const ssh2 = require('ssh2');
  const resources = new Set(process.getActiveResourcesInfo());
  const told: string[] = [];
  const { dropslot, data, log } = open(t, {
    settings: { logFormat: 'text' },
    importHooks: {
      mapRow: ({ Mail, ...row }) => {
        if (Mail === 'broken') throw new Error('Mail has no address');
        return { 'User Email': `${Mail}@acme.test`, ...row };
      },
      beforeImport: async ({ name }) => (name === 'no.csv' ? { refuse: 'we expect no such file' } : undefined),
      beforeApply: ({ users }) => (users.created > 2 ? { hold: `${users.created} new users` } : null),
      afterApply: ({ org, users }) => void told.push(`${org} ${users.created}`),
    },
  });
  const got: string[] = [];
  let failures = 0;
  dropslot.on(
    'user.created',
    ({ data: user }) => {
      if (user.email === 'bob@acme.test' && failures++ === 0) throw new TypeError('the table is locked');
      got.push(String(user.email));
    },
    { name: 'people', personal: true },
  );
  const types: string[] = [];
  dropslot.on(['run.*', 'file.refused'], async ({ type }) => void types.push(type), { name: 'runs' });
  const { listeners } = await dropslot.start();
  const send = await addAcme(data);
  const importNow = () => runDropslot(['import', 'acme'], { data, timeoutMs: patienceMs });

  await send(listeners[0]!.port, '/people.csv', 'Mail,User Name\nann,Ann\nbob,Bob\nbroken,Bo\n');
  await send(listeners[0]!.port, '/no.csv', 'Mail\neve\n');
  const first = await importNow();
  assert.match(first.stdout, /we expect no such file/);
  assert.match(first.stderr, /this process does not have them/);
  await until(() => told.length === 1, 'afterApply is called', patienceMs);
  assert.deepEqual(told, ['acme 2']);
  await until(() => got.length === 3, 'the handler got all users', patienceMs);
  assert.deepEqual([got, failures], [['jane@acme.test', 'ann@acme.test', 'bob@acme.test'], 2]);
  assert.ok(log.some(({ message, reason }) => message === 'a handler failed' && reason === 'the table is locked'));

  // The lines of the importers' processes are among them, whatever their form.
  assert.ok(log.some(({ message, part, org }) => message === 'run done' && part === 'importer' && org === 'acme'));

  await send(listeners[0]!.port, '/more.csv', 'Mail\nc\nd\ne\n');
  assert.equal((await importNow()).code, 4);
  await until(() => types.includes('run.held'), 'run.held', patienceMs);
  assert.deepEqual(types.slice(0, 3), ['run.started', 'file.refused', 'run.completed_with_problems']);
  const states = (await dropslot.handlers()).map(({ name, state, isHere }) => [name, state, isHere]);
  assert.deepEqual(states, [
    ['people', 'enabled', true],
    ['runs', 'enabled', true],
  ]);
  // Other processes can't call the functions, and do not import without them.
  const file = join(data, 'people.csv');
  writeFileSync(file, 'Mail\nann\n');
  const check = await runDropslot(['check', 'acme', file], { data });
  assert.match(check.stderr, /those of the program that embeds Dropslot/);

  const stopping = [dropslot.stop(), dropslot.stop()];
  await Promise.all(stopping);
  await dropslot.stop();
  await assert.rejects(dropslot.handlers(), /was stopped: make another one by createDropslot/);
  assert.deepEqual(stateOfProcess(), before);
  assert.equal(require('ssh2'), ssh2);
  assert.deepEqual(
    process.getActiveResourcesInfo().filter((resource) => !resources.has(resource) && resource !== 'Timeout'),
    [],
  );
  const served = await runDropslot(['serve', '--port', '0'], { data });
  assert.deepEqual([served.code, /those of the program that embeds/.test(served.stderr)], [4, true]);

  // The same handler of the next start goes on where it was; one that the program no longer has is listed.
  const next = open(t, { settings: { data } });
  const again: string[] = [];
  next.dropslot.on('user.*', ({ data: user }) => void again.push(String(user.user)), { name: 'people' });
  await askDropslot(['orgs', 'add', 'beta', '--owner', 'bea@beta.test'], { data });
  await next.dropslot.start();
  await until(() => again.length === 1, 'the event of the time between', patienceMs);
  const both = (await next.dropslot.handlers()).map(({ name, isHere }) => [name, isHere]);
  assert.deepEqual(both, [
    ['people', true],
    ['runs', false],
  ]);
  await next.dropslot.remove('runs');
  await assert.rejects(next.dropslot.remove('runs'), { code: 'not_found' });
  assert.equal((await next.dropslot.handlers()).length, 1);
  await next.dropslot.stop();
});

test('a start that fails says why and leaves nothing behind; two run in one process', async (t) => {
  const port = createServer();
  await new Promise<void>((resolve) => port.listen(0, '127.0.0.1', resolve));
  t.after(() => void port.close());
  const taken = (port.address() as { port: number }).port;
  const fails = async (options: DropslotOptions, code: string, message: RegExp) => {
    const { dropslot, data } = open(t, options);
    const error = await dropslot.start().then(
      () => assert.fail('it started'),
      (found: unknown) => found,
    );
    assert.ok(error instanceof DropslotError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    await dropslot.stop();
    return data;
  };
  const data = await fails({ settings: { port: taken } }, 'unavailable', /is in use/);
  await fails(
    { settings: { prot: 1 } as never },
    'usage',
    /unknown setting prot \(settings of createDropslot\); did you mean port/,
  );
  await fails({ settings: { importHooks: '/nowhere.mjs' } }, 'failed', /nowhere\.mjs can't be used/);
  await fails({ importHooks: { mapRow: 1 as never } }, 'usage', /can't be used: its "mapRow" is not a function/);
  assert.throws(() => open(t).dropslot.on('user.creatd' as never, () => {}, { name: 'a' }), /fits no type of event/);
  assert.throws(() => open(t).dropslot.on('*', () => {}, {} as never), /needs a name/);

  // The folder of the start that failed is free.
  const [one, two] = [open(t, { settings: { data } }), open(t)];
  one.dropslot.on('org.added', () => {}, { name: 'a' });
  const [first, second] = await Promise.all([one.dropslot.start(), two.dropslot.start()]);
  assert.notEqual(first.listeners[0]!.port, second.listeners[0]!.port);
  await assert.rejects(one.dropslot.start(), { code: 'refused' });
  await fails({ settings: { data } }, 'unavailable', /another "dropslot serve" runs/);
  await fails({ settings: { host: '127.0.0.1', port: first.listeners[0]!.port } }, 'unavailable', /is in use/);
  const stopped = one.dropslot.stop();
  await Promise.all([stopped, two.dropslot.stop()]);

  // A stop while it starts.
  const early = open(t, { settings: { data } });
  await early.dropslot.stop();
  const starting = early.dropslot.start();
  await early.dropslot.stop();
  assert.equal((await starting).listeners.length, 1);
  await assert.rejects(early.dropslot.handlers(), { code: 'refused' });
});

test('a function that never answers pauses its run, and does not delay the stop', async (t) => {
  const { dropslot, data, log } = open(t, {
    settings: { importHookSeconds: 0.2, importGraceSeconds: 1 },
    importHooks: { beforeApply: () => new Promise<null>(() => {}) },
  });
  dropslot.on('org.*', () => new Promise<void>(() => {}), { name: 'stuck' });
  const { listeners } = await dropslot.start();
  const send = await addAcme(data);
  await askDropslot(['orgs', 'set', 'acme', 'cadence=on-upload'], { data });
  await send(listeners[0]!.port, '/people.csv', 'User Email\nann@acme.test\n');
  const isTold = (line: Line) =>
    /the import hook beforeApply failed: no answer within 0\.2 s/.test(String(line.reason));
  await until(() => log.some(isTold), 'the run is paused', patienceMs);
  const begun = performance.now();
  await dropslot.stop();
  assert.ok(performance.now() - begun < 30_000);
});

test('stop() before start() does nothing, also when start() follows at once', async (t) => {
  const { dropslot } = open(t);
  const early = dropslot.stop();
  const { listeners } = await dropslot.start();
  await early;
  await dropslot.stop();
  await assert.rejects(connect(listeners[0]!.port), { code: 'ECONNREFUSED' });
});

test('on PostgreSQL: hooks and handlers; of two programs one gets each event, and a new handler those from before', async (t) => {
  // Of several programs, as of several nodes: one database, one data folder.
  const [database, data] = [await createDatabase(t), temporaryFolder(t)];
  const got: string[] = [];
  const begin = async (name: string, from?: 'beginning') => {
    const { dropslot } = open(t, {
      settings: { database, data },
      importHooks: { mapRow: ({ Mail, ...row }) => ({ 'User Email': `${Mail}@acme.test`, ...row }) },
    });
    const hear = ({ data: user }: { data: { email?: unknown } }) => void got.push(`${name} ${user.email}`);
    dropslot.on('user.created', hear, { name, personal: true, ...(from && { from }) });
    await assert.rejects(dropslot.handlers(), /call start\(\) first/);
    const { listeners } = await dropslot.start();
    return { dropslot, port: listeners[0]!.port };
  };
  const first = await begin('people');
  const second = await begin('people');
  const env = { DROPSLOT_DATABASE: database };
  const send = await addAcme(data, env);
  await send(first.port, '/people.csv', 'Mail\nann\nbob\n');
  await runDropslot(['import', 'acme'], { data, env, timeoutMs: patienceMs });
  await until(() => got.length === 3, 'one of them got all users', patienceMs);
  assert.deepEqual([...got].sort(), ['people ann@acme.test', 'people bob@acme.test', 'people jane@acme.test']);
  await second.dropslot.stop();
  const late = await begin('late', 'beginning');
  await until(() => got.length === 6, 'the late handler got them too', patienceMs);
  assert.equal(got.filter((one) => one.startsWith('late ')).length, 3);
  await Promise.all([first.dropslot.stop(), late.dropslot.stop()]);
});

test('reads the URL of the database from the source that the setting names', async (t) => {
  const source = join(temporaryFolder(t), 'database');
  const settings = { database: `file:${source}` };
  await assert.rejects(open(t, { settings }).dropslot.start(), { code: 'usage', message: /there is no such file/ });
  writeFileSync(source, 'sqlite\n');
  const { dropslot, data } = open(t, { settings });
  await dropslot.start();
  assert.ok(existsSync(join(data, 'control.db')));
});

async function connect(port: number): Promise<void> {
  const socket = createConnection({ host: '127.0.0.1', port });
  await once(socket, 'connect').finally(() => socket.destroy());
}
