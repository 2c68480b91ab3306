/** The doctor finds what is broken, lost or about to expire, and nothing else. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Workplace } from '../../src/admin/compose.js';
import { examine } from '../../src/admin/doctor/examine.js';
import type { Finding } from '../../src/admin/doctor/finding.js';
import { updateOrg } from '../../src/db/control/orgs.js';
import { openManualRun } from '../../src/db/control/runs.js';
import { loadOrCreateHostKeys } from '../../src/keys/host.js';
import { blobPath } from '../../src/storage/blob.js';
import { Company } from '../support/company.js';
import { onBothDatabases } from '../support/databases.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { workplaceOn } from '../support/workplace.js';

const dayMs = 24 * 60 * 60 * 1000;

/** What is not well, without the warning that every machine with one disk gets. */
async function complaints(place: Workplace): Promise<Finding[]> {
  const findings = await examine(place.settings);
  return findings.filter((finding) => finding.level !== 'ok' && !/same volume/.test(finding.message));
}

onBothDatabases('doctor', (open) => {
  /** An organization with a key, an imported file, and a server that has been there. */
  async function openWhole(t: TestContext) {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    await loadOrCreateHostKeys(place.paths.hostKeys);
    await allowKey(place.control, 'acme', newKeyPair());
    await acme.import({ 'users.csv': 'User Email\nann@acme.test\n' });
    return { acme, place };
  }

  test('nothing to complain about', async (t) => {
    const { place } = await openWhole(t);
    assert.deepEqual(await complaints(place), []);
  });

  test('a sealed file that is missing, one that was cut, one that nobody knows', async (t) => {
    const { place } = await openWhole(t);
    const [first, second] = await place.control.read('blobs').orderBy('id').select('id');
    rmSync(blobPath(place.paths, first.id));
    truncateSync(blobPath(place.paths, second.id), 10);
    mkdirSync(join(place.paths.blobs, 'ff'), { recursive: true });
    const [old, young] = ['ff00', 'ff01'].map((name) => join(place.paths.blobs, 'ff', name));
    for (const file of [old!, young!]) writeFileSync(file, 'x');
    const before = (place.now() - dayMs) / 1000;
    utimesSync(old!, before, before);
    const found = await complaints(place);
    assert.deepEqual(
      found.map(({ level, check, message }) => [level, check, message.split(':')[0]!.replace(` of acme`, '')]),
      [
        ['wrong', 'blobs', first.id],
        ['wrong', 'blobs', second.id],
        ['warning', 'blobs', old],
      ],
    );
  });

  test('a master key that others may read, that is another one, that is gone', async (t) => {
    const { place } = await openWhole(t);
    const { masterKey } = place.paths;
    chmodSync(masterKey, 0o640);
    assert.match((await complaints(place))[0]!.message, /chmod 600/);
    rmSync(masterKey);
    const [lost, ...more] = await complaints(place);
    assert.match(lost!.message, /no master key at/);
    assert.deepEqual(more, []);
    writeFileSync(masterKey, 'AGE-SECRET-KEY-1QQQ\n', { mode: 0o600 });
    assert.equal((await complaints(place))[0]!.level, 'wrong');
  });

  test('a lost host key, which clients would miss', async (t) => {
    const { place } = await openWhole(t);
    rmSync(join(place.paths.hostKeys, 'ssh_host_ecdsa_key'));
    const [finding] = await complaints(place);
    assert.deepEqual([finding!.level, finding!.check], ['wrong', 'host_keys']);
    assert.match(finding!.message, /ssh_host_ecdsa_key missing/);
  });

  test('no usable key, a key that expires soon, an owner who is gone', async (t) => {
    const { place } = await openWhole(t);
    await place.control.write('login_keys').update({ expires_at: place.now() + 5 * dayMs });
    assert.match((await complaints(place))[0]!.message, /expires at/);
    await place.control.write('login_keys').update({ expires_at: place.now() - 1 });
    assert.match((await complaints(place))[0]!.message, /no key can log in: dropslot keys add acme/);
    await updateOrg(place.control.write, 'acme', { ownerEmail: 'gone@acme.test', enabled: false });
    const [finding, ...more] = await complaints(place);
    assert.deepEqual([finding!.level, more], ['wrong', []]);
    assert.match(finding!.message, /owner is not in the directory/);
  });

  test('files that wait too long, runs that nobody works on, a run that failed', async (t) => {
    const { acme, place } = await openWhole(t);
    acme.clock = place.now() - 2 * dayMs;
    await acme.drop('/late.csv', 'User Email\n');
    const id = await openManualRun(place.control.write, 'acme', place.now() - dayMs);
    const messages = (await complaints(place)).map((finding) => finding.message);
    assert.equal(messages.length, 2);
    assert.match(messages[0]!, /files wait since/);
    assert.match(messages[1]!, new RegExp(`run ${id} waits since`));
    await place.control.write('runs').where({ id }).update({ state: 'failed', failure: 'the disk was full' });
    assert.ok((await complaints(place)).some((finding) => finding.message === `run ${id} failed: the disk was full`));
  });

  test('a directory without its organization: one database was restored without the other', async (t) => {
    const { place } = await openWhole(t);
    await place.directory.write('org_versions').insert({ org_id: 'ghost', version: 3 });
    const [finding] = await complaints(place);
    assert.deepEqual([finding!.level, finding!.subject], ['warning', 'ghost']);
  });
});
