/** Exports that flow on: to an OpenSSH sshd and into /exports, complete or not there, each change at least once. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createSilentLogger } from '../../config/logger.js';
import { listOwnFiles } from '../../db/control/checks.js';
import { readEvents } from '../../db/control/events.js';
import {
  disableSubscriber,
  endLease,
  findSubscriber,
  takeLease,
  updateSubscriber,
} from '../../db/control/eventsubscribers.js';
import type { Deliveries } from '../../events/delivery.js';
import { loadMaster } from '../../keys/master/master.js';
import { openText } from '../../keys/master/sealedtext.js';
import { openDue } from '../../operations/exports/daily.js';
import {
  createExportDeliverer,
  type ExportDeps,
  type ExportStep,
  makeExport,
} from '../../operations/exports/deliverer.js';
import { addExport, type NewExport, runExport } from '../../operations/exports/exports.js';
import { type ExportOptions, readFolderTarget, readSftpTarget, readWhen } from '../../operations/exports/options.js';
import { abandonedNames, expiredNames, fileName, temporaryName } from '../../operations/exports/target.js';
import { rotateMaster } from '../../operations/masterkey.js';
import type { Workplace } from '../../operations/workplace.js';
import { Company, csv } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { deliverTo } from '../support/events.js';
import { moduleArguments } from '../support/program.js';
import { missingSshd, newKey, startSshd } from '../support/sshd.js';
import { temporaryFolder } from '../support/temporary.js';
import { workplaceOn } from '../support/workplace.js';

async function openAcme(t: TestContext) {
  const started: Deliveries[] = [];
  // Before the databases are closed: a query to a closed pool waits for a minute.
  t.after(() => Promise.all(started.map((each) => each.stop())));
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  const opened = await workplaceOn(t, acme.databases.settings);
  const place: Workplace = { ...opened, now: () => acme.clock };
  const inTree = (dir: string) => listOwnFiles(place.control.read, 'acme', dir);
  return { acme, place, started, inTree };
}

/** An sshd, the key that it takes, and its fingerprint. */
async function openRemote(t: TestContext) {
  const folder = temporaryFolder(t);
  const line = newKey(join(folder, 'client'));
  const sshd = await startSshd(t, folder, [line], ['Subsystem sftp internal-sftp']);
  const target = join(folder, 'in');
  mkdirSync(target);
  const { stdout } = spawnSync('ssh-keygen', ['-lf', join(folder, 'host_key.pub')], { encoding: 'utf8' });
  const given: NewExport = {
    to: `sftp://${sshd.user}@127.0.0.1:${sshd.port}${target}`,
    key: readFileSync(join(folder, 'client'), 'utf8'),
    hostKey: stdout.split(' ')[1]!,
    allowPrivate: true,
  };
  return { given, target, folder, sshd };
}

const file = csv('User Email,User Name,Teams', 'ann@acme.test,Ann,Sales', 'bob@acme.test,Bob,Sales');

test('a run is followed by users and teams in /exports; with --changed-only the next files have only its changes', async (t) => {
  const { acme, place, started, inTree } = await openAcme(t);
  const { id } = await addExport(place, 'acme', { toFolder: '/exports/payroll', changedOnly: true, keep: 2 });
  const { control, directory } = acme.databases;
  started.push(deliverTo(t, acme.databases, createExportDeliverer(depsOf(place)), { now: () => acme.clock }));
  const exported = async (count: number) => {
    for (;;) {
      const logged = await control.read('deliveries').where({ subscriber_id: id }).orderBy('id');
      if (logged.length >= count) return logged.at(-1).detail as string;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await acme.import({ 'users.csv': file });
  assert.match(await exported(1), /^wrote users-20260310T110000Z-\w{8}-\w{4}\.csv and teams-/);
  const [teams, users] = await inTree('/exports/payroll');
  assert.match(await acme.read(`/exports/payroll/${users}`), /^User Email,.*\nann@acme.test.*\nbob@acme.test/);
  assert.match(await acme.read(`/exports/payroll/${teams}`), /^Team Name,.*\nSales/);
  acme.clock += 3_600_000;
  await acme.import({ 'users.csv': file.replace('Bob', 'Bobby') });
  assert.match(await exported(2), /users-20260310T120000Z-since-20260310T110000Z-/);
  const changed = (await inTree('/exports/payroll')).find((name) => name.includes('since'))!;
  const text = await acme.read(`/exports/payroll/${changed}`);
  assert.match(text, /bob@acme.test,Bobby/);
  assert.doesNotMatch(text, /ann@acme.test/);
  // Two remain of three.
  acme.clock += 3_600_000;
  await acme.import({ 'users.csv': file.replace('Ann', 'Anna') });
  await exported(3);
  const left = await inTree('/exports/payroll');
  assert.deepEqual([left.length, left.includes(users!)], [4, false]);
  // After a pause so long that events were removed, everything is exported.
  acme.clock += (place.settings.eventDays + 1) * 86_400_000;
  const outcome = await runExport(place, id);
  assert.doesNotMatch(outcome.detail, /since/);
  const audited = await control.read('audit').where({ action: 'directory.exported' });
  assert.equal(audited.length, 8);
  assert.ok((await directory.read('events')).length > 0);
});

function depsOf(place: Workplace): ExportDeps {
  const { control, directory, paths, settings, now, org } = place;
  const loadMaster = () => place.master();
  return { control, directory, paths, settings, now, org, loadMaster, actor: 'system', logger: createSilentLogger() };
}

test('an export reaches an OpenSSH server, and its key is stored sealed', { skip: missingSshd() }, async (t) => {
  const { acme, place } = await openAcme(t);
  const { given, target, folder, sshd } = await openRemote(t);
  await acme.import({ 'users.csv': file });
  const { id } = await addExport(place, 'acme', { ...given, keep: 1 });
  const { secret } = (await findSubscriber(place.control.read, id))!;
  assert.match(secret!, /BEGIN AGE ENCRYPTED FILE/);
  const first = await runExport(place, id);
  assert.equal(first.result, 'delivered', first.detail);
  assert.equal(readdirSync(target).length, 2);
  // Of a server that stops much later.
  const { signal } = new AbortController();
  const subscriber = (await findSubscriber(place.control.read, id))!;
  const event = { id: 'evt_00000000000000000000abcd', at: acme.clock };
  assert.equal((await makeExport(depsOf(place), subscriber, event, signal)).result, 'delivered');
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  writeFileSync(join(target, 'users-of-another.csv'), '');
  acme.clock += 1000;
  assert.equal((await runExport(place, id)).result, 'delivered');
  const names = readdirSync(target).sort();
  assert.deepEqual(
    names.map((name) => name.slice(0, 8)),
    ['teams-20', 'users-20', 'users-of'],
  );
  assert.match(readFileSync(join(target, names[1]!), 'utf8'), /ann@acme.test/);
  // Without --allow-private nothing is sent, by an address or by a name.
  for (const host of ['127.0.0.1', 'localhost'])
    await assert.rejects(
      addExport(place, 'acme', { ...given, to: given.to!.replace('127.0.0.1', host), allowPrivate: false }),
      /private address/,
    );
  const options = (await findSubscriber(place.control.read, id))!.options;
  const kept = (options as unknown as ExportOptions).target;
  const change = (more: object) =>
    place.control
      .write('subscribers')
      .where({ id })
      .update({ options: JSON.stringify({ ...options, target: { ...kept, ...more } }) });
  await change({ allowPrivate: false, host: 'localhost' });
  assert.match((await runExport(place, id)).detail, /private address/);
  // A folder that does not exist is tried again; another host key ends the export.
  await change({ path: join(folder, 'none') });
  assert.equal((await runExport(place, id)).result, 'failed');
  await change({ hostKey: `SHA256:${'A'.repeat(43)}` });
  const other = await runExport(place, id);
  assert.equal(other.result, 'gone');
  assert.match(other.detail, new RegExp(`another host key .*${given.hostKey!.replace(/[+/]/g, '.')}`));
  assert.ok(sshd.port > 0);
  // A new master key opens the login key, and the old one no longer.
  const old = await place.master();
  await rotateMaster(place);
  const resealed = (await findSubscriber(place.control.read, id))!.secret!;
  await assert.rejects(openText(old.identity, resealed));
  assert.equal(await openText((await loadMaster(place.paths)).identity, resealed), given.key);
});

test('an export that is killed before the rename leaves no file that looks complete; the next attempt makes it once', {
  skip: missingSshd(),
}, async (t) => {
  const { acme, place } = await openAcme(t);
  const { given, target } = await openRemote(t);
  await acme.import({ 'users.csv': file });
  const { id } = await addExport(place, 'acme', given);
  const event = { id: 'evt_00000000000000000000abcd', at: acme.clock };
  const kill = async (step: string) => {
    const args = [acme.databases.settings.data, id, event.id, String(event.at), step];
    const child = spawn(process.execPath, [...moduleArguments('exports.child', import.meta.url), ...args], {
      stdio: 'inherit',
    });
    assert.equal((await once(child, 'exit'))[1], 'SIGKILL', step);
  };
  await kill('written');
  assert.deepEqual(
    readdirSync(target).map((name) => name.endsWith('.part')),
    [true],
  );
  await kill('renamed');
  const names = readdirSync(target).sort();
  assert.deepEqual(
    names.map((name) => name.slice(0, 6)),
    ['teams-', 'users-'],
  );
  const subscriber = async () => (await findSubscriber(place.control.read, id))!;
  const envelope = {
    id: event.id,
    type: 'run.completed',
    org: 'acme',
    at: new Date(event.at).toISOString(),
    version: 1 as const,
    data: {},
  };
  const deliverer = createExportDeliverer(depsOf(place));
  for (const detail of [/^wrote/, /written before/]) {
    const batch = { id: event.id, events: [envelope], body: envelope, subscriber: await subscriber() };
    const outcome = await deliverer.deliver(batch, new AbortController().signal);
    assert.match(outcome.detail, detail);
  }
  assert.deepEqual(readdirSync(target).sort(), names);
});

test('an export that is killed in a file is continued there; anew if its content or the file at the server is another one', {
  skip: missingSshd(),
}, async (t) => {
  const { acme, place } = await openAcme(t);
  const { given, target } = await openRemote(t);
  await acme.import({ 'users.csv': file });
  const { id } = await addExport(place, 'acme', given);
  const event = { id: 'evt_00000000000000000000abcd', at: acme.clock };
  const kill = async () => {
    const args = [acme.databases.settings.data, id, event.id, String(event.at), 'kept', '1'];
    const child = spawn(process.execPath, [...moduleArguments('exports.child', import.meta.url), ...args], {
      stdio: 'inherit',
    });
    assert.equal((await once(child, 'exit'))[1], 'SIGKILL');
  };
  const subscriber = async () => (await findSubscriber(place.control.read, id))!;
  const fail = async () => {
    const onStep = (step: ExportStep) => {
      if (step === 'kept') throw new Error('interrupted');
    };
    const deps = { ...depsOf(place), partBytes: 1, onStep };
    const { detail } = await makeExport(deps, await subscriber(), event, new AbortController().signal);
    assert.equal(detail, 'interrupted');
  };
  const interrupt = async (how: () => Promise<void>) => {
    await how();
    const [part, ...others] = readdirSync(target);
    assert.deepEqual([part?.endsWith('.part'), others], [true, []]);
    return join(target, part!);
  };
  const complete = async () => {
    const before = await subscriber();
    const outcome = await makeExport(depsOf(place), before, event, new AbortController().signal);
    assert.equal(outcome.result, 'delivered', outcome.detail);
    const names = readdirSync(target);
    assert.equal(names.length, 2);
    const text = readFileSync(join(target, names.find((name) => name.startsWith('users'))!), 'utf8');
    for (const name of names) rmSync(join(target, name));
    assert.equal((await subscriber()).options.unfinished, undefined);
    await updateSubscriber(place.control.write, id, { options: { ...before.options, unfinished: undefined } });
    return text;
  };
  const header = /^User Email,User Name,/;

  // The bytes at the server remain: the attempt began behind them, and removed those that were not synced.
  const part = await interrupt(kill);
  const kept = readFileSync(part, 'utf8');
  assert.match(kept, header);
  writeFileSync(part, `${kept.replace('User Email', 'USER EMAIL')}bytes that were not synced`);
  const resumed = await complete();
  assert.match(
    resumed,
    /^USER EMAIL,User Name,.*\nann@acme.test,Ann,.*\nbob@acme.test,Bob,[^\n]*\nowner@acme.test,[^\n]*\n$/,
  );

  writeFileSync(await interrupt(fail), 'User');
  assert.match(await complete(), header);

  await interrupt(fail);
  await acme.import({ 'users.csv': csv('User Email,Office', 'ann@acme.test,Paris') });
  assert.match(await complete(), /^User Email,User Name,.*,Office\nann@acme.test,.*,Paris\n/);
});

test('of two processes one makes an export, also of one that is disabled', async (t) => {
  const { acme, place, inTree } = await openAcme(t);
  await acme.import({ 'users.csv': file });
  const { id } = await addExport(place, 'acme', { toFolder: '/exports' });
  const server = (at: number) => takeLease(place.control.write, id, 'server', at, 60_000);
  let tried = 0;
  const meanwhile = async () => {
    tried++;
    await assert.rejects(runExport(place, id), { code: 'unavailable', message: /another command makes the export/ });
    assert.equal(await server(acme.clock), false);
  };
  assert.equal((await runExport(place, id, meanwhile)).result, 'delivered');
  assert.ok(await server(acme.clock), 'the lease has ended');
  await assert.rejects(runExport(place, id), { code: 'unavailable' });
  await endLease(place.control.write, id, 'server');
  await place.control.transact((tx) => disableSubscriber(tx, id, 'for a test'));
  assert.equal((await runExport(place, id, meanwhile)).result, 'delivered');
  assert.deepEqual([tried, (await inTree('/exports')).length], [2, 4]);
});

test('a daily export is due once a day, at its time in the time zone of the organization', async (t) => {
  const { acme, place, inTree } = await openAcme(t);
  const { id } = await addExport(place, 'acme', { toFolder: '/exports', when: 'daily@04:00' });
  const other = await addExport(place, 'acme', { toFolder: '/exports', when: 'after-run' });
  const due = async () => {
    await openDue({ control: place.control, now: () => acme.clock });
    const events = await readEvents(place.control.read, { after: 0, to: 1e9, limit: 99 }, { types: ['export.due'] });
    return events.map(({ at, subject }) => [new Date(at).toISOString(), subject]);
  };
  assert.deepEqual(await due(), []);
  acme.clock = Date.UTC(2026, 2, 11, 2, 59);
  assert.deepEqual(await due(), []);
  acme.clock = Date.UTC(2026, 2, 11, 3, 0);
  await due();
  assert.deepEqual(await due(), [['2026-03-11T03:00:00.000Z', id]]);
  // Three days without a server.
  acme.clock = Date.UTC(2026, 2, 14, 9, 0);
  assert.equal((await due()).length, 2);
  const { org } = (await findSubscriber(place.control.read, other.id))!;
  const deliverer = createExportDeliverer(depsOf(place));
  const event = {
    id: 'evt_x',
    type: 'export.due',
    org,
    at: new Date(acme.clock).toISOString(),
    version: 1 as const,
    data: { export: id },
  };
  const subscriber = (await findSubscriber(place.control.read, other.id))!;
  const outcome = await deliverer.deliver(
    { id: 'evt_x', events: [event], body: event, subscriber },
    new AbortController().signal,
  );
  assert.match(outcome.detail, /another/);
  assert.deepEqual(await inTree('/exports'), []);
});

test('targets and times are checked when an export is added', async (t) => {
  const { place } = await openAcme(t);
  const key = `SHA256:${'A'.repeat(43)}`;
  for (const url of [
    'https://a@b/c',
    'sftp://host.test/in',
    'sftp://u:p@host.test/',
    'nonsense',
    'sftp://u@host.test/%ff',
    'sftp://u@h.test/a?b',
  ])
    assert.throws(() => readSftpTarget(url, key, false), { code: 'usage' }, url);
  for (const host of ['10.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '169.254.169.254', 'a.localhost', '127.1'])
    assert.throws(() => readSftpTarget(`sftp://u@${host}/in`, key, false), /private address/, host);
  assert.throws(() => readSftpTarget('sftp://u@host.test/', 'SHA256:x', false), /fingerprint/);
  assert.deepEqual(readSftpTarget('sftp://u%40x@host.test:2022/a%20b', key, false), {
    ...{ kind: 'sftp', host: 'host.test', port: 2022, user: 'u@x', path: '/a b', hostKey: key, allowPrivate: false },
  });
  for (const path of ['/', '/reports', 'exports', '/exports/../reports', '/exports\n'])
    assert.throws(() => readFolderTarget(path), { code: 'usage' }, path);
  for (const when of ['daily', 'daily@24:00', 'daily@4:00', 'hourly'])
    assert.throws(() => readWhen(when), { code: 'usage' }, when);
  for (const given of [
    {},
    { to: 'sftp://u@h.test/', toFolder: '/exports' },
    { toFolder: '/exports', key: 'x' },
    { to: 'sftp://u@h.test/' },
  ])
    await assert.rejects(addExport(place, 'acme', given), { code: 'usage' });
  await assert.rejects(
    addExport(place, 'acme', { to: 'sftp://u@h.test/', key: 'no key', hostKey: key }),
    /private key/,
  );
  const of = { id: 'sub_1a2b3c4d5e6f7081', event: 'evt_0009', at: 0, since: null };
  const names = [1, 2, 3].map((day) => fileName('users', { ...of, at: day * 86_400_000, since: day === 2 ? 0 : null }));
  assert.deepEqual(expiredNames(of.id, 2, [...names, 'users.csv', 'users-19700101T000000Z-ffffffff-0009.csv']), [
    names[0],
  ]);
  const part = temporaryName(of.id, 'evt_00000009', names[0]!);
  const foreign = ['.dropslot-users-ffffffff-0009.part', 'users.part', `${part}.csv`];
  assert.deepEqual(abandonedNames(of.id, [part, '.dropslot-1a2b3c4d.part', ...foreign]), [
    part,
    '.dropslot-1a2b3c4d.part',
  ]);
});
