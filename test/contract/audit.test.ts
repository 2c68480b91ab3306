/** The audit trail's chain: whatever is changed, removed, added or moved is found, and all writers keep it whole. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Db, openControl } from '../../db/connection.js';
import { type AuditEvent, readHead, readRecords, recordAudit } from '../../db/control/audit.js';
import { hashRecord } from '../../db/control/auditchain.js';
import { insertOrg } from '../../db/control/orgs.js';
import { GroupCommit } from '../../intake/groupcommit.js';
import { proveAudit } from '../../operations/audit.js';
import { onEveryDatabase, type TestDatabases } from '../support/databases.js';
import { sampleOrg } from '../support/samples.js';

function event(subject: string, change: Partial<AuditEvent> = {}): AuditEvent {
  const detail = { address: '192.0.2.7', text: 'quote " slash \\ Zürich 🙂 \n' };
  return { at: 1_770_000_000_000, org: 'acme', actor: 'system', action: 'test.done', subject, detail, ...change };
}

async function writeTrail(control: Db, count: number): Promise<void> {
  for (let number = 1; number <= count; number++) await recordAudit(control.write, event(`record ${number}`));
}

const flawsOf = async (control: Db) => (await proveAudit({ control }, null)).flaws.map(({ seq }) => seq);

onEveryDatabase('audit trail', (open) => {
  test('records are chained in the order of their transactions, and only with them', async (t) => {
    const { control } = await open(t);
    assert.deepEqual(await proveAudit({ control }, null), {
      head: { count: 0, hash: '0'.repeat(64) },
      flaws: [],
      flawCount: 0,
      expected: null,
    });
    await recordAudit(control.write, event('alone', { org: null }));
    await control.transact(async (tx) => {
      await recordAudit(tx, event('first of two'));
      await recordAudit(tx, event('second of two'));
    });
    const broken = control.transact(async (tx) => {
      await recordAudit(tx, event('never'));
      throw new Error('rolled back');
    });
    await assert.rejects(broken, /rolled back/);
    const records = [];
    for await (const record of readRecords(control.read)) records.push(record);
    assert.deepEqual(
      records.map(({ seq, subject }) => [seq, subject]),
      [
        [1, 'alone'],
        [2, 'first of two'],
        [3, 'second of two'],
      ],
    );
    assert.deepEqual(await flawsOf(control), []);
    assert.deepEqual(await readHead(control.read), { count: 3, hash: records[2]!.hash });
  });

  test('transact chains the records last, and rolls back when it can not', async (t) => {
    const { control } = await open(t);
    await control.transact(async (tx) => {
      await recordAudit(tx, event('at the end'));
      assert.equal((await tx('audit').select('id')).length, 0);
    });
    assert.equal((await readHead(control.read)).count, 1);
    await control.write('audit_head').delete();
    const broken = control.transact(async (tx) => {
      await insertOrg(tx, sampleOrg('acme'));
      await recordAudit(tx, event('never'));
    });
    await assert.rejects(broken, /audit_head is missing/);
    assert.equal(await control.read('orgs').where({ id: 'acme' }).first(), undefined);
  });

  test('a listener that throws after the commit makes nothing fail', async (t) => {
    const { control } = await open(t);
    const heard: string[] = [];
    control.onAudit!(() => {
      throw new Error('a full metric');
    });
    control.onAudit!((events) => heard.push(...events.map(({ subject }) => subject)));
    const record = (subject: string) => ({ at: 0, org: 'acme', actor: 'system', action: 'test', subject, detail: {} });
    await insertOrg(control.write, sampleOrg('acme'));
    const commits = new GroupCommit(control);
    const names = ['one', 'two', 'three'];
    await Promise.all(names.map((name) => commits.run((tx) => recordAudit(tx, record(name)))));
    assert.deepEqual(heard, names);
    assert.equal((await readHead(control.read)).count, 3);
  });

  test('a record made outside of transact is chained all the same', async (t) => {
    const { control } = await open(t);
    await control.write.transaction(async (tx) => {
      await recordAudit(tx, event('in a plain transaction'));
      await tx.transaction((inner) => recordAudit(inner, event('in a nested one')));
    });
    await recordAudit(control.write, event('in none'));
    await control.transact(async (tx) => {
      await recordAudit(tx, event('in transact'));
      await tx.transaction((inner) => recordAudit(inner, event('nested in transact')));
    });
    const proof = await proveAudit({ control }, null);
    assert.deepEqual([proof.head.count, proof.flaws], [5, []]);
    assert.equal((await control.read('audit').whereNull('hash')).length, 0);
  });

  test('every change of every column is found', async (t) => {
    const { control } = await open(t);
    await writeTrail(control, 5);
    const changes: Record<string, unknown> = {
      at: 1_770_000_000_001,
      org_id: null,
      actor: 'operator:mallory',
      action: 'test.undone',
      subject: 'record 3 ',
      detail: '{"address":"192.0.2.8"}',
      hash: 'f'.repeat(64),
      seq: 9,
    };
    const row = await control.read('audit').where({ seq: 3 }).first();
    for (const [column, value] of Object.entries(changes)) {
      await control
        .write('audit')
        .where({ id: row.id })
        .update({ [column]: value });
      assert.deepEqual((await flawsOf(control))[0], 3, column);
      await control
        .write('audit')
        .where({ id: row.id })
        .update({ [column]: row[column] });
    }
    assert.deepEqual(await flawsOf(control), []);
  });

  test('rows that are removed, added or swapped are found', async (t) => {
    const { control } = await open(t);
    await writeTrail(control, 6);
    const rows = await control.read('audit').orderBy('seq');
    const restore = async () => {
      await control.write('audit').delete();
      await control.write('audit').insert(rows);
      assert.deepEqual(await flawsOf(control), []);
    };
    for (const seq of [1, 3, 6]) {
      await control.write('audit').where({ seq }).delete();
      assert.equal((await flawsOf(control))[0], seq);
      await restore();
    }
    await control.write('audit').where('seq', '>', 2).delete();
    assert.deepEqual(await flawsOf(control), [3]);
    await restore();
    const { id: _, ...added } = rows[5];
    for (const seq of [7, 0, -1]) {
      await control.write('audit').insert({ ...added, seq });
      assert.deepEqual(await flawsOf(control), [null]);
      await restore();
    }
    await control.write('audit').insert({ ...added, seq: null, hash: null });
    assert.deepEqual(await flawsOf(control), [null]);
    await restore();
    const { id: second, seq: __, hash: ___, ...content } = rows[1];
    const { id: fourth, seq: ____, hash: _____, ...other } = rows[3];
    await control.write('audit').where({ id: second }).update(other);
    await control.write('audit').where({ id: fourth }).update(content);
    assert.deepEqual(await flawsOf(control), content.subject === other.subject ? [] : [2, 4]);
  });

  test('who removes the end, or changes a record and all hashes after it, is found by a head that was kept', async (t) => {
    const { control } = await open(t);
    await writeTrail(control, 4);
    const { hash, count } = await readHead(control.read);
    await writeTrail(control, 2);
    const kept = { hash, seq: count };
    const expectation = async () => (await proveAudit({ control }, kept)).expected;
    assert.equal(await expectation(), 'found');
    assert.equal((await proveAudit({ control }, { hash, seq: null })).expected, 'found');
    assert.equal((await proveAudit({ control }, { hash, seq: 5 })).expected, 'missing');
    await control.write('audit').where({ seq: 2 }).update({ actor: 'operator:mallory' });
    let previous = '0'.repeat(64);
    for await (const record of readRecords(control.read)) {
      previous = hashRecord(previous, record);
      await control.write('audit').where({ seq: record.seq }).update({ hash: previous });
    }
    await control.write('audit_head').update({ hash: previous });
    assert.deepEqual(await flawsOf(control), [], 'the chain alone can not tell');
    const proof = await proveAudit({ control }, kept);
    assert.deepEqual([proof.expected, proof.flawCount], ['missing', 1]);
    await control.write('audit').where('seq', '>', 3).delete();
    const last = await control.read('audit').where({ seq: 3 }).first();
    await control.write('audit_head').update({ count: 3, hash: last.hash });
    assert.equal(await expectation(), 'missing');
    await control.write('audit_head').delete();
    assert.deepEqual((await flawsOf(control)).length > 0, true);
  });

  test('writers of several processes, whatever else they lock, keep the chain whole', async (t) => {
    const databases = await open(t);
    const others = await openMore(t, databases, 2);
    const nodes = [databases.control, ...others];
    for (const id of ['acme', 'globex']) await insertOrg(databases.control.write, sampleOrg(id));
    const touch = (tx: Db['write'], id: string) =>
      tx('orgs')
        .where({ id })
        .update({ name: `touched ${id}` });
    // One half audits before it locks the row that the other half locks before it audits.
    const work = (node: Db, turn: number) =>
      node.transact(async (tx) => {
        if (turn % 2 === 0) await recordAudit(tx, event(`${turn}`));
        await touch(tx, 'acme');
        if (turn % 2 === 1) await recordAudit(tx, event(`${turn}`));
      });
    const commits = nodes.map((node) => new GroupCommit(node));
    await Promise.all([
      ...Array.from({ length: 60 }, (_, turn) => work(nodes[turn % 3]!, turn)),
      ...Array.from({ length: 60 }, (_, turn) =>
        commits[turn % 3]!.run(async (tx) => {
          await recordAudit(tx, event(`group ${turn}`, { org: 'globex' }));
          await recordAudit(tx, event(`group ${turn} again`, { org: 'globex' }));
        }),
      ),
      ...Array.from({ length: 30 }, (_, turn) => recordAudit(nodes[turn % 3]!.write, event(`alone ${turn}`))),
    ]);
    const proof = await proveAudit({ control: databases.control }, null);
    assert.deepEqual([proof.head.count, proof.flaws], [60 + 120 + 30, []]);
  });

  test('records of an older database are chained in their order', async (t) => {
    const { control, settings } = await open(t);
    await control.write('knex_migrations').where({ name: '005_audit' }).delete();
    await control.write.schema.dropTable('audit_head');
    await control.write.schema.alterTable('audit', (table) => table.dropUnique(['seq']));
    await control.write.schema.alterTable('audit', (table) => table.dropColumns('seq', 'hash'));
    const { org, detail, ...rest } = event('old');
    for (let from = 0; from < 2500; from += 500)
      await control.write('audit').insert(
        Array.from({ length: 500 }, (_, number) => ({
          ...rest,
          id: 10 + (from + number) * 3,
          subject: `old ${from + number + 1}`,
          org_id: org,
          detail: JSON.stringify(detail),
        })),
      );
    // As its sequence would be.
    if (control.dialect === 'postgres') await control.write.raw("SELECT setval('audit_id_seq', 100000)");
    const migrated = await openControl(settings);
    t.after(() => migrated.close());
    await recordAudit(migrated.write, event('new'));
    const proof = await proveAudit({ control: migrated }, null);
    assert.deepEqual([proof.head.count, proof.flaws], [2501, []]);
    const ends = [];
    for await (const { seq, subject } of readRecords(migrated.read)) if (seq % 1250 <= 1) ends.push([seq, subject]);
    assert.deepEqual(ends, [
      [1, 'old 1'],
      [1250, 'old 1250'],
      [1251, 'old 1251'],
      [2500, 'old 2500'],
      [2501, 'new'],
    ]);
  });
});

async function openMore(t: TestContext, { settings }: TestDatabases, count: number): Promise<Db[]> {
  const opened: Db[] = [];
  for (let more = 0; more < count; more++) {
    const control = await openControl(settings);
    t.after(() => control.close());
    opened.push(control);
  }
  return opened;
}
