/** Several writers of one file: every CLOSE that succeeds has published all that it wrote, on top of what was there. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { listAudit } from '../../db/control/audit.js';
import type { BeginOptions, Intake, Upload } from '../../intake/types.js';
import { KeyError } from '../../keys/error.js';
import { onBothDatabases, type TestDatabases } from '../support/databases.js';
import { keeping, openIntake, replacing, sender, type TestIntake } from '../support/intake.js';

const appending: BeginOptions = { ...keeping, append: true };

async function begin(intake: Intake, text: string, options = appending, offset = 0): Promise<Upload> {
  const upload = await intake.begin('/users.csv', options);
  if (text !== '') await upload.write(offset, Buffer.from(text));
  return upload;
}

function otherSession({ service, org }: TestIntake): Intake {
  return service.forSender(org, { ...sender, address: '192.0.2.7' });
}

/** Milliseconds: servers with keys look that often. */
const leaseEveryMs = 100;

function withoutKeys(databases: TestDatabases): TestDatabases {
  return { ...databases, settings: { ...databases.settings, role: 'intake' } };
}

function leasesIn({ control }: TestIntake): Promise<{ path: string }[]> {
  return control.read('writer_leases').select('path');
}

async function replacedIn(place: TestIntake): Promise<unknown[]> {
  const events = await listAudit(place.control.read, 'acme');
  return events.filter(({ action }) => action === 'upload.replaced_newer').map(({ detail }) => detail);
}

onBothDatabases('writers of one file', (open) => {
  for (const [name, orders] of Object.entries({ 'as they began': [0, 1], 'the other way': [1, 0] }))
    for (const where of ['one session', 'two sessions', 'two servers'])
      test(`two that append, in ${where}, closed ${name}`, async (t) => {
        const place = await openIntake(t, await open(t));
        await place.put('/users.csv', '0');
        const second =
          { 'one session': place.intake, 'two sessions': otherSession(place) }[where] ?? place.secondServer();
        const uploads = [await begin(place.intake, '1'), await begin(second, '2')];
        for (const index of orders) await uploads[index]!.finish();
        const expected = where === 'two servers' && orders[0] === 1 ? '021' : '012';
        assert.equal(await place.get('/users.csv'), expected);
        assert.deepEqual(await replacedIn(place), []);
        assert.deepEqual(readdirSync(place.paths.partials), []);
      });

  for (const [name, options] of Object.entries({ truncates: replacing, keeps: keeping, appends: appending }))
    test(`a new file that takes the name of another one while it is open has nothing of it: OPEN ${name}`, async (t) => {
      const place = await openIntake(t, await open(t));
      for (const text of ['new', '']) {
        await place.put('/users.csv', 'older and longer');
        const upload = await place.intake.begin('/users.tmp', options);
        await upload.write(0, Buffer.from(text));
        await place.intake.rename('/users.tmp', '/users.csv', true);
        if (text !== '') await upload.write(3, Buffer.from('er'));
        const { size } = await upload.finish();
        assert.deepEqual([await place.get('/users.csv'), size], text === '' ? ['', 0] : ['newer', 5]);
      }
    });

  test('a writer that died blocks nobody, and leaves nothing', async (t) => {
    const place = await openIntake(t, await open(t));
    await place.put('/users.csv', '0');
    const [dead, alive] = [await begin(place.intake, 'dead'), await begin(otherSession(place), '2')];
    assert.equal((await alive.read(0, 10)).toString(), '0dead2');
    await dead.abort();
    assert.equal((await alive.read(0, 10)).toString(), '02');
    place.clock.now += 1000;
    await alive.finish();
    assert.equal(await place.get('/users.csv'), '02');
    const pair = [await begin(place.intake, 'dead'), await begin(otherSession(place), '3')];
    place.clock.now += 1000;
    await pair[1]!.finish();
    assert.equal(await place.get('/users.csv'), '023', 'nothing that has no CLOSE is published');
    await pair[0]!.abort();
    assert.equal(await place.get('/users.csv'), '023');
    assert.deepEqual(readdirSync(place.paths.partials), []);
  });

  test('over the same bytes the later write counts, whoever closes last', async (t) => {
    const place = await openIntake(t, await open(t));
    await place.put('/users.csv', 'abcdef');
    const [one, two] = [await begin(place.intake, '1111', keeping), await begin(otherSession(place), '22', keeping, 2)];
    await one.write(3, Buffer.from('3'));
    assert.equal((await two.read(0, 10)).toString(), '1123ef');
    await two.finish();
    assert.equal(await place.get('/users.csv'), 'ab22ef');
    await one.finish();
    assert.equal(await place.get('/users.csv'), '1123ef');
  });

  test('sizes: set by one, seen by the other, and published with the CLOSE of who set them', async (t) => {
    const place = await openIntake(t, await open(t));
    await place.put('/users.csv', 'abcdef');
    const [one, two] = [await begin(place.intake, ''), await begin(otherSession(place), '')];
    await one.setSize(2);
    await two.write(0, Buffer.from('xy'));
    assert.equal(two.entry().size, 4);
    await two.finish();
    assert.equal(await place.get('/users.csv'), 'abcdefxy');
    await one.finish();
    assert.equal(await place.get('/users.csv'), 'abxy');
  });

  test('a truncation begins an upload of its own; an older one that ends later is told in the audit trail', async (t) => {
    const place = await openIntake(t, await open(t));
    const first = await place.put('/users.csv', 'old');
    const slow = await begin(place.intake, 'slow', replacing);
    const newer = await begin(otherSession(place), ' more');
    const { uploadId } = await newer.finish();
    assert.equal(await place.get('/users.csv'), 'old more');
    assert.deepEqual(await replacedIn(place), []);
    const receipt = await slow.finish();
    assert.equal(await place.get('/users.csv'), 'slow');
    const [told] = (await replacedIn(place)) as { upload: number; replaced: number }[];
    assert.deepEqual([told?.upload, told?.replaced], [receipt.uploadId, uploadId]);
    assert.ok(uploadId > first.uploadId);
  });

  test('scp that is overtaken replaces the newer file wholly, and that is told', async (t) => {
    const place = await openIntake(t, await open(t));
    await place.put('/users.csv', 'a long old file');
    const scp = await begin(place.intake, 'scp', keeping);
    await place.put('/users.csv', 'newer');
    await scp.setSize(3);
    await scp.finish();
    assert.equal(await place.get('/users.csv'), 'scp');
    assert.equal((await replacedIn(place)).length, 1);
  });

  test('in a session an append shares the upload that is not closed yet, in either order of the CLOSEs', async (t) => {
    const place = await openIntake(t, await open(t));
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      await place.put('/users.csv', 'old ');
      const uploads = [await begin(place.intake, 'new ', replacing), await begin(place.intake, 'more')];
      assert.equal(uploads[1]!.entry().size, 8);
      await uploads[order[0]!]!.finish();
      assert.equal(await place.get('/users.csv'), order[0] === 0 ? 'new ' : 'old more');
      await uploads[order[1]!]!.finish();
      assert.equal(await place.get('/users.csv'), 'new more');
    }
    assert.deepEqual(await replacedIn(place), []);
  });

  test('many that append at once, from two servers, lose nothing', async (t) => {
    const place = await openIntake(t, await open(t));
    const sessions = [place.intake, otherSession(place), place.secondServer()];
    await place.put('/users.csv', '');
    const lines = Array.from({ length: 24 }, (_, number) => `line ${number}\n`);
    await Promise.all(
      lines.map(async (line, number) => (await begin(sessions[number % sessions.length]!, line)).finish()),
    );
    const found = (await place.get('/users.csv')).split(/(?<=\n)/);
    assert.deepEqual(found.sort(), [...lines].sort());
    assert.deepEqual(readdirSync(place.paths.partials), []);
  });

  test('one that stays open while many others append and close', async (t) => {
    const place = await openIntake(t, await open(t));
    await place.put('/users.csv', '0');
    const early = await begin(place.intake, 'e');
    for (let turn = 0; turn < 40; turn++) await (await begin(otherSession(place), 'x')).finish();
    assert.equal(await place.get('/users.csv'), `0${'x'.repeat(40)}`);
    assert.ok(readdirSync(place.paths.partials).length <= 34);
    await early.finish();
    assert.equal((await place.get('/users.csv')).length, 42);
    assert.deepEqual(readdirSync(place.paths.partials), []);
  });

  test('on a server without keys: what it has just published is shared; nothing is lost silently', async (t) => {
    const [databases, identity] = [await open(t), () => Promise.reject(new KeyError('missing', 'no key here'))];
    const place = await openIntake(t, withoutKeys(databases), { identity, leaseEveryMs });
    const uploads = [await begin(place.intake, '1'), await begin(otherSession(place), '2')];
    for (const upload of uploads) await upload.finish();
    assert.equal((await place.space.stat('/users.csv')).size, 2);
    await assert.rejects(begin(place.intake, ''), { code: 'keyless' }, 'at its OPEN');
    // Another server replaces the file meanwhile: the CLOSE that needs its bytes fails, changes nothing, and is told.
    await place.intake.remove('/users.csv');
    const overtaken = await begin(place.intake, '3');
    const newer = await (await begin(place.secondServer(), 'other', replacing)).finish();
    await assert.rejects(overtaken.finish(), { code: 'keyless' });
    const failed = (await listAudit(place.control.read, 'acme')).find(({ action }) => action === 'upload.failed');
    assert.equal((failed!.detail as { overtakenBy?: number }).overtakenBy, newer.uploadId);
    assert.equal((await place.space.stat('/users.csv')).size, 'other'.length);
    // One that has every byte itself needs no key.
    const whole = await begin(place.intake, 'whole', keeping);
    await (await begin(place.secondServer(), 'another', replacing)).finish();
    await whole.setSize(5);
    await whole.finish();
    assert.equal((await place.space.stat('/users.csv')).size, 5);
    assert.deepEqual(await leasesIn(place), []);
  });

  const refused = { code: 'written_elsewhere' };

  test('an OPEN fails where another process has the file and one of the two has no keys', async (t) => {
    const databases = await open(t);
    const keyed = await openIntake(t, databases, { leaseEveryMs });
    const keyless = keyed.secondServer({ settings: { ...databases.settings, role: 'intake' } });
    for (const [name, first, second, isRefused] of [
      ['keyless, keyless', keyless, keyed.secondServer({ settings: { ...databases.settings, role: 'intake' } }), true],
      ['keyless, keyed', keyless, keyed.intake, true],
      ['keyed, keyless', keyed.intake, keyless, true],
      ['keyed, keyed', keyed.intake, keyed.secondServer(), false],
      ['one process', keyless, keyless, false],
    ] as const) {
      const one = await begin(first, 'one');
      if (isRefused) await assert.rejects(begin(second, 'two'), refused, name);
      else await (await begin(second, 'two')).abort();
      // An OPEN with truncation needs no agreement.
      await (await begin(second, 'new', replacing)).abort();
      await one.finish();
      await (await begin(second, 'scp', keeping)).abort();
      assert.deepEqual(await leasesIn(keyed), [], name);
      await second.remove('/users.csv');
    }
  });

  test('a lease follows its file, ends with its writer, and after its time without one', async (t) => {
    const databases = await open(t);
    const place = await openIntake(t, withoutKeys(databases), { leaseEveryMs });
    const other = place.secondServer();
    const writer = await begin(place.intake, 'one');
    await place.intake.rename('/users.csv', '/moved.csv', false);
    assert.deepEqual(
      (await leasesIn(place)).map(({ path }) => path),
      ['/moved.csv'],
    );
    await (await begin(other, '')).abort();
    await assert.rejects(other.begin('/moved.csv', appending), refused);
    await place.intake.remove('/moved.csv');
    await (await other.begin('/moved.csv', appending)).abort();
    await writer.abort();
    const dead = await begin(place.secondServer(), 'dead');
    await assert.rejects(begin(other, 'two'), refused);
    await dead.write(0, Buffer.alloc(0));
    // Its server may renew the lease in between.
    const takeOver = async () => {
      await place.control.write('writer_leases').update({ until_at: 1 });
      return begin(other, 'two').catch((error) => assert.equal(error.code, 'written_elsewhere'));
    };
    let two = await takeOver();
    while (two === undefined) two = await takeOver();
    await two.finish();
    assert.equal((await place.space.stat('/users.csv')).size, 3);
    await assert.rejects(other.begin('/none/x.csv', appending), { code: 'not_found' });
    await dead.abort();
    assert.deepEqual(await leasesIn(place), []);
  });

  test('leases cost a server with keys nothing until one without keys is there, and an open file is told then', async (t) => {
    const databases = await open(t);
    const place = await openIntake(t, databases, { leaseEveryMs });
    const early = await begin(place.intake, 'early');
    assert.deepEqual(await leasesIn(place), []);
    const keyless = place.secondServer({ settings: { ...databases.settings, role: 'intake' } });
    await assert.rejects(begin(keyless, 'late'), refused);
    assert.equal((await leasesIn(place)).length, 1);
    await early.finish();
    await (await begin(place.intake, '', replacing)).abort();
    assert.deepEqual(await leasesIn(place), []);
  });

  test('a rename sees an upload in progress of its own session as the file that it is', async (t) => {
    const place = await openIntake(t, await open(t));
    await place.put('/other.csv', 'other');
    await place.space.mkdir('/folder', {});
    const upload = await begin(place.intake, 'new', replacing);
    await assert.rejects(place.intake.rename('/other.csv', '/users.csv', false), { code: 'exists' });
    await assert.rejects(place.intake.rename('/folder', '/users.csv', true), { code: 'exists' });
    await otherSession(place).rename('/other.csv', '/users.csv', false);
    await upload.finish();
    assert.equal(await place.get('/users.csv'), 'new');
  });

  test('a session reads its own upload in progress, and goes on reading the version that came of it', async (t) => {
    const place = await openIntake(t, await open(t));
    const upload = await begin(place.intake, 'con', replacing);
    const view = upload.openView();
    assert.equal((await view.read(0, 10)).toString(), 'con');
    await upload.write(3, Buffer.from('tent'));
    assert.equal(view.entry.size, 7);
    await upload.finish();
    await place.intake.remove('/users.csv');
    assert.equal((await view.read(0, 10)).toString(), 'content');
    await view.close();
    const dead = await begin(place.intake, 'dead', replacing);
    const other = dead.openView();
    await dead.abort();
    assert.equal((await other.read(0, 10)).toString(), '');
    await other.close();
  });
});
