/** What surfaces that watch a run see of it: the issues of its reports, and its progress as it changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { insertOrg } from '../../db/control/orgs.js';
import { findRun } from '../../db/control/runs.js';
import { walkIssues } from '../../operations/issues.js';
import { type RunNews, watchRun } from '../../operations/watchrun.js';
import { Company } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { sampleOrg } from '../support/samples.js';
import { workplaceOn } from '../support/workplace.js';

test('the issues of a run are those of its reports, whatever separates their cells', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const acme = await Company.join(databases);
  const place = await workplaceOn(t, databases.settings);
  const { run } = await acme.import({
    'a.csv': 'User Email;Manager Email\nnobody;\n"=1+1";x\nli@acme.test;y\n',
    'b.csv': 'User Email,Note\n"o\'no, really",x\n',
    'c.csv': 'User Email\nbo@acme.test\n',
  });
  const found = (await findRun(databases.control.read, run!))!;
  const list = async (filter = {}) => {
    const rows: [string, number | null, string, string | null][] = [];
    for await (const { file, line, code, value } of walkIssues(place, found, filter))
      rows.push([file, line, code, value]);
    return rows;
  };
  const all: Awaited<ReturnType<typeof list>> = [
    ['/a.csv', 2, 'email_invalid', 'nobody'],
    ['/a.csv', 3, 'email_invalid', '=1+1'],
    ['/a.csv', 4, 'manager_invalid', 'y'],
    ['/b.csv', 2, 'email_invalid', "o'no, really"],
  ];
  assert.deepEqual(await list(), all);
  assert.deepEqual(await list({ file: 'b.csv' }), all.slice(3));
  assert.deepEqual(await list({ severity: 'warning' }), all.slice(2, 3));
  assert.deepEqual(await list({ code: 'email_invalid', file: '/a.csv' }), all.slice(0, 2));
  const reads = await databases.control.read('audit').where({ action: 'file.read' });
  assert.ok(reads.length >= 2, 'they have personal data: each look is recorded');
});

test('the progress of a run is told when it changes, and when it ends', async (t) => {
  const { control } = await openFresh(t, 'sqlite');
  await insertOrg(control.write, sampleOrg('acme'));
  const acme = { org_id: 'acme', kind: 'manual', slot_date: null, opened_at: 1 };
  const [{ id }] = await control
    .write('runs')
    .insert({ ...acme, state: 'open' })
    .returning('id');
  const change = (row: object) => control.write('runs').where({ id }).update(row);
  let now = 0;
  const { signal } = new AbortController();
  const news = watchRun({ control, now: () => now }, id, {
    everyMs: 1,
    quietMs: 1_000,
    signal,
    isWanted: async () => true,
  });
  const next = async () => (await news.next()).value as RunNews;
  const progress = async () => {
    const one = await next();
    assert.equal(one.kind, 'progress');
    const { state, phase, rows, elapsedMs, rowsPerSecond } = (one as Extract<RunNews, { kind: 'progress' }>).progress;
    return [state, phase, rows, elapsedMs, rowsPerSecond];
  };
  assert.deepEqual(await progress(), ['open', null, null, null, null]);
  now = 1_000;
  assert.deepEqual(await next(), { kind: 'quiet' });
  const at = (rows: number) => JSON.stringify({ phase: 'staging', file: 'users.csv', rows });
  await change({ state: 'running', started_at: 1_000, progress: at(100) });
  assert.deepEqual(await progress(), ['running', 'staging', 100, 0, null]);
  now = 3_000;
  await change({ progress: at(5_100) });
  assert.deepEqual(await progress(), ['running', 'staging', 5_100, 2_000, 2_500]);
  await change({ state: 'done' });
  const end = await next();
  assert.deepEqual([end.kind, (end as Extract<RunNews, { kind: 'end' }>).run!.state], ['end', 'done']);
  assert.equal((await news.next()).done, true);
});
