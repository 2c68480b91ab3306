/** Group commit: what arrives together shares a transaction, and a bad job hurts nobody else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db } from '../../db/connection.js';
import { listAudit, readRecords, recordAudit } from '../../db/control/audit.js';
import { beginning, hashRecord } from '../../db/control/auditchain.js';
import { recordEvent } from '../../db/control/events.js';
import { GroupCommit } from '../../intake/groupcommit.js';
import { onBothDatabases } from '../support/databases.js';
import { openIntake, replacing } from '../support/intake.js';

/** Counts the transactions that are begun. */
function counting(control: Db): { control: Db; count: () => number } {
  let count = 0;
  const transact: Db['transact'] = (work) => {
    count++;
    return control.transact(work);
  };
  return { control: { ...control, transact }, count: () => count };
}

function event(subject: string) {
  return { at: 0, org: 'acme', actor: 'system', action: 'test', subject, detail: {} };
}

onBothDatabases('group commit', (open) => {
  test('jobs that arrive together share transactions, and each gets its own result', async (t) => {
    const databases = await open(t);
    const { control, count } = counting(databases.control);
    const commits = new GroupCommit(control);
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, turn) =>
        commits.run(async (tx) => {
          await recordAudit(tx, event(`job ${turn}`));
          return turn;
        }),
      ),
    );
    assert.deepEqual(results, [...results.keys()]);
    assert.equal((await listAudit(control.read, 'acme')).length, 50);
    assert.equal(count(), 2, 'the first alone, then everything that came meanwhile');
  });

  test('a job that locks a row which others share has a transaction of its own on PostgreSQL, and nobody waits for it', async (t) => {
    const { control, count } = counting((await open(t)).control);
    const commits = new GroupCommit(control);
    const order: number[] = [];
    const isApart = control.dialect === 'postgres';
    const others: Promise<void>[] = [];
    const run = (turn: number) => others.push(commits.run(async () => void order.push(turn)));
    [0, 1, 2].forEach(run);
    const alone = [3, 4].map((turn) =>
      commits.runAlone(async () => {
        // It takes as long as all others: they would never end if one of them waited for it.
        if (isApart) await Promise.all(others);
        order.push(turn);
      }),
    );
    [5, 6].forEach(run);
    await Promise.all([...others, ...alone]);
    assert.deepEqual(order, isApart ? [0, 1, 2, 5, 6, 3, 4] : [0, 1, 2, 3, 4, 5, 6]);
    assert.equal(count(), isApart ? 4 : 2);
  });

  test('a job that fails takes nobody with it, and leaves nothing', async (t) => {
    const { control, count } = counting((await open(t)).control);
    const commits = new GroupCommit(control);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, turn) =>
        commits.run(async (tx) => {
          await recordAudit(tx, event(`job ${turn}`));
          await tx('event_marks').insert({ name: `job ${turn}`, at: turn });
          await recordEvent(tx, { at: 0, org: 'acme', type: 'org.added', subject: `job ${turn}`, data: {} });
          if (turn === 4) throw new Error('bad job');
          if (turn === 7) await tx('event_marks').insert({ no_such_column: 1 });
          return turn;
        }),
      ),
    );
    const failed = outcomes.flatMap((outcome, turn) => (outcome.status === 'rejected' ? [turn] : []));
    assert.deepEqual(failed, [4, 7]);
    assert.match(String((outcomes[4] as PromiseRejectedResult).reason), /bad job/);
    const subjects = (await listAudit(control.read, 'acme')).map(({ subject }) => subject).sort();
    const expected = [0, 1, 2, 3, 5, 6, 8, 9].map((turn) => `job ${turn}`);
    assert.deepEqual(subjects, expected);
    assert.deepEqual(await control.read('event_marks').orderBy('name').pluck('name'), expected);
    assert.deepEqual(await control.read('events').orderBy('subject').pluck('subject'), expected);
    let previous = beginning;
    for await (const record of readRecords(control.read)) {
      assert.equal(hashRecord(previous, record), record.hash);
      previous = record.hash;
    }
    assert.equal(count(), 3, 'the first alone, the others, and these again without the two that fail');
  });

  test('an upload whose session has ended fails alone: its neighbours in the group are published', async (t) => {
    const { put, intake, control } = await openIntake(t, await open(t));
    const uploads = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (name) => {
        const upload = await intake.begin(`/${name}.csv`, replacing);
        await upload.write(0, Buffer.from(name));
        return upload;
      }),
    );
    let asked = 0;
    // Wanted when it joins the group, and no longer when it is published.
    const outcomes = await Promise.allSettled(
      uploads.map((upload, index) => upload.finish(() => index !== 2 || ++asked < 2)),
    );
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
    );
    assert.deepEqual(await control.read('uploads').orderBy('path').pluck('path'), ['/a.csv', '/b.csv', '/d.csv']);
    await put('/c.csv', 'again');
  });

  test('it goes on after a failure, one job after the other', async (t) => {
    const { control } = await open(t);
    const commits = new GroupCommit(control);
    await assert.rejects(
      commits.run(async () => Promise.reject(new Error('no'))),
      /no/,
    );
    assert.equal(await commits.run(async () => 'yes'), 'yes');
  });
});
