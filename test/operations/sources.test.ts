/** Sources as operators manage them: what is accepted, what is shown, and which secrets stay sealed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAlarms } from '../../db/control/alarms.js';
import { findSource, listDueSources, type SftpConfig, type Source } from '../../db/control/sources.js';
import { generatePair } from '../../keys/host/pair.js';
import { loadMaster } from '../../keys/master/master.js';
import { disableDoor, enableDoor, findDoor, removeDoor, runDoor } from '../../operations/doors.js';
import { rotateMaster } from '../../operations/masterkey.js';
import { detailOrg } from '../../operations/orgdetails.js';
import { addSource, type SourceChoice, setSource, testSource } from '../../operations/sources.js';
import { openSecret } from '../../sources/secret.js';
import { Company } from '../support/company.js';
import { onBothDatabases } from '../support/databases.js';
import { openDoor, sftpConfig } from '../support/doors.js';
import { startMemoryServer } from '../support/memoryserver.js';
import { examine, workplaceOn } from '../support/workplace.js';

const yes = async () => true;
const no = async () => false;
const choice: SourceChoice = { host: 'sftp.acme.example', user: 'hr', path: '/out', password: 'secret\n' };

onBothDatabases('sources', (open) => {
  test('wrong values are refused with the forms that are right', async (t) => {
    const company = await Company.open(open, t);
    const place = await workplaceOn(t, company.databases.settings);
    const wrong: [SourceChoice, RegExp][] = [
      [{ host: undefined }, /give --host/],
      [{ password: undefined }, /give one of --key FILE/],
      [{ generateKey: true }, /give only one/],
      [{ host: 'sftp://acme' }, /not a host name/],
      [{ port: '0' }, /not a port/],
      [{ when: 'every:1' }, /every:30m/],
      [{ afterFetch: 'burn' }, /keep, delete or move:FOLDER/],
      [{ afterFetch: 'move:/out/' }, /another folder/],
      [{ hostKeys: ['MD5:aa'] }, /SHA256:…/],
      [{ patterns: ['a/b'] }, /not a pattern/],
      [{ into: '/reports' }, /only Dropslot writes/],
      [{ password: 'two\nlines\n' }, /one line/],
      [{ password: undefined, key: generatePair('ed25519').public }, /public key/],
      [{ password: undefined, key: 'nonsense' }, /can't be read/],
    ];
    for (const [change, expected] of wrong)
      await assert.rejects(addSource(place, 'acme', { ...choice, ...change }), expected, JSON.stringify(change));
    assert.deepEqual((await detailOrg(place, await place.org('acme'))).sources, []);
  });

  test('a source whose server was changed first is not enabled without a host key', async (t) => {
    const company = await Company.open(open, t);
    const place = await workplaceOn(t, company.databases.settings);
    const { id } = await addSource(place, 'acme', { ...choice, hostKeys: [`SHA256:${'a'.repeat(43)}`] });
    const find = async () => (await findDoor(place, 'sftp', String(id))) as Source<SftpConfig>;
    await disableDoor(place, await find());
    const old = await find();
    await setSource(place, old, { host: 'other.example' });
    await assert.rejects(enableDoor(place, old), /source \d+ has been changed meanwhile: see "dropslot sources show/);
    assert.equal((await enableDoor(place, await find())).state, 'unconfirmed');
  });

  test('a source is added, changed, disabled, enabled and removed; its secret is sealed and survives a new master key', async (t) => {
    const company = await Company.open(open, t);
    const place = await workplaceOn(t, company.databases.settings);
    const key = generatePair('ed25519');
    const { id, state, config } = await addSource(place, 'acme', { ...choice, password: undefined, key: key.private });
    assert.deepEqual(
      [state, (config as SftpConfig).publicKey],
      ['unconfirmed', key.public.split(' ').slice(0, 2).join(' ')],
    );
    const find = async () => (await findDoor(place, 'sftp', String(id))) as Source<SftpConfig>;
    await assert.rejects(runDoor(place, await find()), /host key is not confirmed/);
    const hostKeys = [`SHA256:${'a'.repeat(43)}`];
    assert.equal((await setSource(place, await find(), { hostKeys })).state, 'active');
    assert.equal((await setSource(place, await find(), { host: 'other.example' })).state, 'unconfirmed');
    await assert.rejects(setSource(place, await find(), {}), /at least one value/);
    await setSource(place, await find(), { hostKeys, when: 'every:5m' });
    const due = () => listDueSources(place.control.read, place.now() + 600_000, 10);
    assert.deepEqual(await due(), [id]);
    await disableDoor(place, await find());
    assert.deepEqual(await due(), []);
    await enableDoor(place, await find());
    assert.deepEqual(await due(), [id]);

    const stored = async () => (await findSource(place.control.read, id))!.secret!;
    const [old, before] = [await loadMaster(place.paths), await stored()];
    assert.ok(!before.includes('PRIVATE'));
    await rotateMaster(place);
    const after = await stored();
    assert.equal((await openSecret(await loadMaster(place.paths), after)).privateKey, key.private);
    await assert.rejects(openSecret(old, after), { code: 'secret' });
    await removeDoor(place, await find());
    await assert.rejects(find(), { code: 'not_found' });
    const actions = await place.control.read('audit').whereLike('action', 'source.%').orderBy('id').pluck('action');
    assert.deepEqual(actions, [
      ...['source.added', 'source.changed', 'source.changed', 'source.changed'],
      ...['source.disabled', 'source.enabled', 'source.removed'],
    ]);
    const records = JSON.stringify(await place.control.read('audit').whereLike('action', 'source.%').select('detail'));
    assert.ok(!records.includes('PRIVATE'));
  });
});

test('a test shows the host key, confirms it, lists, and takes nothing', async (t) => {
  const server = await startMemoryServer(t);
  const door = await openDoor(t, sftpConfig(server, { hostKeys: [] }), { password: server.password });
  const place = await workplaceOn(t, door.company.databases.settings);
  await place.control.write('sources').update({ state: 'unconfirmed' });
  server.put('users.csv', 'User Email\nann@acme.test\n');
  server.put('notes.md', 'x');
  const find = async () => (await findDoor(place, 'sftp', String(door.id))) as Source<SftpConfig>;
  const refused = await testSource(place, await find(), no);
  assert.deepEqual([refused.isConfirmed, refused.hostKey?.fingerprint], [false, server.fingerprint]);
  assert.equal(server.requests.length, 0, 'it does not log in to a server that is not confirmed');
  assert.equal((await find()).state, 'unconfirmed');
  const accepted = await testSource(place, await find(), yes);
  assert.deepEqual([accepted.names, accepted.wouldTake.map(({ name }) => name)], [2, ['users.csv']]);
  assert.deepEqual([(await find()).state, (await find()).config.hostKeys], ['active', [server.fingerprint]]);
  assert.ok(!server.requests.includes('open users.csv'));

  server.lies.listing = (batch) => [`f${batch}.csv`];
  server.lies.listDelayMs = 50;
  await assert.rejects(testSource(place, await find(), yes, 500), /did not list the folder \/out within 0.5 s/);
  server.lies.listing = null;

  // Another operator changes it while the host key is compared.
  await place.control.write('sources').update({ state: 'unconfirmed' });
  const source = await find();
  const unconfirmed = { ...source, config: { ...source.config, hostKeys: [] } };
  await assert.rejects(testSource(place, unconfirmed, yes), { code: 'refused', message: /changed meanwhile/ });
  await place.control.write('sources').update({ state: 'active' });

  await server.changeHostKey();
  const askNothing = async () => assert.fail('a changed key is not offered for confirmation');
  await assert.rejects(testSource(place, await find(), askNothing), /sources set 1 --host-key/);
});

test('doctor and orgs show tell of a source that fails, and of files that could not be taken', async (t) => {
  const server = await startMemoryServer(t);
  const door = await openDoor(t, sftpConfig(server), { password: 'wrong' });
  const { settings } = door.company.databases;
  const place = await workplaceOn(t, settings);
  await door.round();
  const [summary] = (await detailOrg(place, await place.org('acme'))).sources;
  assert.match(summary!.failure!, /does not accept the user name/);
  const messages = (await examine(settings)).map(({ level, message }) => `${level} ${message}`);
  assert.ok(
    messages.some((text) => /^warning source 1 fails \(failures in a row: 1\)/.test(text)),
    messages.join('\n'),
  );
  assert.ok(messages.some((text) => /^warning no file can be taken from source 1 since/.test(text)));
  assert.ok(
    messages.some((text) => /^wrong the round of source 1 is due since/.test(text)),
    messages.join('\n'),
  );
  await disableDoor(place, await findDoor(place, 'sftp', '1'));
  const alarms = await listAlarms(place.control.read, { org: 'acme', resolved: false, limit: 10 });
  assert.deepEqual(alarms, [], 'a disabled source has no alarm');
});
