/** Quotas and the floor of free space: told at OPEN, WRITE and MKDIR, before the disk suffers. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { type OrgLimits, updateOrg } from '../../db/control/orgs.js';
import { listQueue } from '../../db/control/uploads.js';
import { measureAllUsage, measureUsage } from '../../db/control/usage.js';
import { type Disk, systemDisk } from '../../storage/disk.js';
import { onBothDatabases } from '../support/databases.js';
import { keeping, openIntake, replacing, type TestIntake } from '../support/intake.js';
import { randomContent } from '../support/sealing.js';
import { keepingLogger } from '../support/session.js';

/** As `orgs set` does, while the server runs; the next look at the organization sees it. */
async function limit({ control, clock }: TestIntake, limits: OrgLimits): Promise<void> {
  await updateOrg(control.write, 'acme', { limits });
  clock.now += 2000;
}

function partials({ paths }: TestIntake): string[] {
  return readdirSync(paths.partials);
}

onBothDatabases('room', (open) => {
  test('bytes: what is stored and what is on its way count, and a refused upload leaves nothing', async (t) => {
    const place = await openIntake(t, await open(t));
    const { intake } = place;
    await limit(place, { maxStoredBytes: 1_000_000 });
    await place.put('/a.csv', randomContent(400_000));
    const first = await intake.begin('/b.csv', replacing);
    await first.write(0, randomContent(300_000));
    const second = await intake.begin('/c.csv', replacing);
    await second.write(0, randomContent(200_000));
    await assert.rejects(second.write(200_000, randomContent(100_001)), { code: 'quota' });
    await assert.rejects(second.finish(), { code: 'quota' });
    await first.write(300_000, randomContent(300_000));
    await assert.rejects(intake.begin('/d.csv', replacing), { code: 'quota' });
    await first.finish();
    assert.deepEqual(partials(place), []);
    assert.deepEqual(
      (await listQueue(place.control.read, 'acme')).map(({ path }) => path),
      ['/a.csv', '/b.csv'],
    );
    await intake.remove('/a.csv');
    await place.put('/d.csv', randomContent(400_000));
    await assert.rejects(intake.begin('/e.csv', replacing), { code: 'quota' });
    await limit(place, {});
    await place.put('/e.csv', randomContent(10));
  });

  test('bytes on their way in other processes count, until they are over or their process has died', async (t) => {
    const place = await openIntake(t, await open(t));
    const { intake, control, clock } = place;
    const other = place.secondServer();
    const mebibyte = 1024 * 1024;
    const told = () => control.read('open_bytes').pluck('bytes');
    const tells = async (count: number) => {
      while ((await told()).length !== count) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    await limit(place, { maxStoredBytes: 40 * mebibyte });
    const large = await intake.begin('/a.csv', replacing);
    for (let at = 0; at < 20; at++) await large.write(at * mebibyte, Buffer.alloc(mebibyte));
    await tells(1);
    const beside = await other.begin('/b.csv', replacing);
    for (let at = 0; at < 15; at++) await beside.write(at * mebibyte, Buffer.alloc(mebibyte));
    clock.now += 2_000;
    await assert.rejects(beside.write(15 * mebibyte, Buffer.alloc(10 * mebibyte)), {
      code: 'quota',
      message: /0 bytes stored and 3\d{7} being uploaded/,
    });
    await beside.abort();
    await large.discard();
    await tells(0);
    const next = await other.begin('/c.csv', replacing);
    clock.now += 2_000;
    for (let at = 0; at < 39; at++) await next.write(at * mebibyte, Buffer.alloc(mebibyte));
    await next.discard();
    await tells(0);
    await control
      .write('open_bytes')
      .insert({ process: 'dead', org_id: 'acme', bytes: 40 * mebibyte, told_at: clock.now });
    clock.now += 2_000;
    await assert.rejects(other.begin('/d.csv', replacing), { code: 'quota' });
    clock.now += 90_000;
    await (await other.begin('/d.csv', replacing)).discard();
  });

  test('a size that is set counts, and so does what was kept of uploads that were cut off', async (t) => {
    const place = await openIntake(t, await open(t));
    await limit(place, { maxStoredBytes: 1_000_000 });
    const cut = await place.intake.begin('/a.csv', replacing);
    await cut.write(0, randomContent(700_001));
    await cut.abort();
    const sparse = await place.intake.begin('/b.csv', replacing);
    await assert.rejects(sparse.setSize(300_001), { code: 'quota' });
    await sparse.abort();
    const resumed = await place.intake.begin('/a.csv', keeping);
    await resumed.write(700_000, randomContent(100_000));
    await assert.rejects(resumed.write(800_000, randomContent(1_000_000)), { code: 'quota' });
    await resumed.abort();
    assert.equal((await place.space.stat('/a.csv')).size, 700_000, 'what was there before is still there');
  });

  test('bytes of one file, by the organization', async (t) => {
    const place = await openIntake(t, await open(t));
    await limit(place, { maxFileBytes: 100 });
    const upload = await place.intake.begin('/a.csv', replacing);
    await assert.rejects(upload.write(0, randomContent(101)), { code: 'too_large' });
    await upload.abort();
    await place.put('/a.csv', randomContent(100));
  });

  test('files and folders, those on their way included', async (t) => {
    const place = await openIntake(t, await open(t));
    const { intake, space } = place;
    await limit(place, { maxFiles: 3 });
    await space.mkdir('/in', {});
    await place.put('/a.csv', 'x');
    const waiting = await intake.begin('/b.csv', replacing);
    await assert.rejects(intake.begin('/c.csv', replacing), { code: 'quota' });
    await waiting.finish();
    const session = place.service.forSender({ ...place.org, limits: { maxFiles: 3 } }, {} as never);
    await assert.rejects(session.begin('/c.csv', replacing), { code: 'quota' });
    const again = await intake.begin('/b.csv', replacing);
    await again.abort();
    const other = await place.spaceWith({ maxFiles: 3 });
    await assert.rejects(other.mkdir('/more', {}), { code: 'quota' });
  });

  test('uploads that were cut off: each is a file, and the one that is sent again is none more', async (t) => {
    const place = await openIntake(t, await open(t));
    const { intake, space } = place;
    await limit(place, { maxFiles: 3 });
    for (const name of ['a', 'b', 'c']) {
      const upload = await intake.begin(`/${name}.csv`, replacing);
      await upload.write(0, randomContent(300_000));
      await upload.abort();
    }
    place.clock.now += 1000;
    await assert.rejects(intake.begin('/d.csv', replacing), { code: 'quota' });
    const other = await place.spaceWith({ maxFiles: 3 });
    await assert.rejects(other.mkdir('/more', {}), { code: 'quota' });
    await place.put('/a.csv', 'from the start');
    const { size } = await space.stat('/b.csv');
    const resumed = await intake.begin('/b.csv', keeping);
    await resumed.write(size, randomContent(10));
    await resumed.finish();
    await assert.rejects(intake.begin('/d.csv', replacing), { code: 'quota' });
    const { entries } = await measureUsage(place.control.read, 'acme');
    assert.equal(entries, 3);
    assert.deepEqual((await measureAllUsage(place.control.read)).get('acme')?.entries, 3);
    await intake.remove('/c.csv');
    place.clock.now += 1000;
    await place.put('/d.csv', 'x');
  });

  test('depth and length of names', async (t) => {
    const place = await openIntake(t, await open(t));
    const { intake } = place;
    await limit(place, { maxFolderDepth: 2, maxNameBytes: 10 });
    const space = await place.spaceWith({ maxFolderDepth: 2, maxNameBytes: 10 });
    await space.mkdir('/in', {});
    await space.mkdir('/in/deeper', {});
    await assert.rejects(space.mkdir('/in/deeper/x', {}), { code: 'bad_name' });
    await assert.rejects(space.mkdir('/ééééééééé', {}), { code: 'bad_name' });
    await assert.rejects(intake.begin('/in/deeper/a.csv', replacing), { code: 'bad_name' });
    await assert.rejects(intake.begin('/a-long-name.csv', replacing), { code: 'bad_name' });
    assert.equal(place.service.openUploads(), 0);
    assert.deepEqual(partials(place), []);
  });

  test('below the floor of free space uploads are refused, it is logged once, and the server lives on', async (t) => {
    const databases = await open(t);
    let freeBytes = 10_000_000;
    const disk: Disk = { ...systemDisk, freeBytes: async () => freeBytes };
    const { logger, lines } = keepingLogger();
    const settings = { ...databases.settings, minFreeBytes: 9_000_000 };
    const place = await openIntake(t, databases, { disk, logger, settings });
    const upload = await place.intake.begin('/a.csv', replacing);
    await upload.write(0, randomContent(600_000));
    await assert.rejects(upload.write(600_000, randomContent(1_500_000)), { code: 'no_space' });
    await assert.rejects(upload.finish(), { code: 'no_space' });
    freeBytes = 8_000_000;
    place.clock.now += 1000;
    await assert.rejects(place.intake.begin('/b.csv', replacing), { code: 'no_space' });
    await assert.rejects(place.intake.begin('/b.csv', replacing), { code: 'no_space' });
    assert.equal(lines.filter((line) => /nearly full/.test(line)).length, 1);
    freeBytes = 20_000_000;
    await place.put('/b.csv', 'x');
    assert.equal(lines.filter((line) => /has free space again/.test(line)).length, 1);
    assert.deepEqual(partials(place), []);
    assert.deepEqual(
      (await listQueue(place.control.read, 'acme')).map(({ path }) => path),
      ['/b.csv'],
    );
  });
});
