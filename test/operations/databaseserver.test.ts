/** The judgement of the doctor on a PostgreSQL server: what survives a crash or a fail-over, and whether commits are answered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsSchema } from '../../config/settings.js';
import { judgeConnections, mostConnections } from '../../operations/doctor/connections.js';
import { judgeServer, type ServerSettings } from '../../operations/doctor/databaseserver.js';

const usual: ServerSettings = { version: 18, commits: 'on', pages: 'on', standbys: '' };

type Case = [
  change: Partial<ServerSettings>,
  synchronous: number | null,
  ...expected: [level: string, words: RegExp][],
];

const cases: Case[] = [
  [{}, 0, ['ok', /on this server alone/]],
  [{}, null, ['ok', /on this server alone/]],
  [{ standbys: '*' }, 1, ['ok', /on a standby too/]],
  [{ standbys: '*', commits: 'remote_apply' }, 1, ['ok', /on a standby too/]],
  [{ standbys: '*' }, 0, ['wrong', /'\*', and no such standby is attached/]],
  [{ standbys: '*' }, null, ['warning', /may not see.*pg_read_all_stats/]],
  [{ commits: 'off' }, 0, ['wrong', /synchronous_commit is off/]],
  [{ commits: 'off', standbys: '*' }, 0, ['wrong', /synchronous_commit is off/]],
  [{ commits: 'local' }, 0, ['ok', /on this server alone/]],
  [{ commits: 'local', standbys: '*' }, 1, ['warning', /synchronous_commit is local/]],
  [{ commits: 'remote_write' }, 0, ['ok', /on this server alone/]],
  [{ commits: 'remote_write', standbys: '*' }, 1, ['warning', /remote_write.*power cut/]],
  [
    { commits: 'remote_write', standbys: '*' },
    0,
    ['warning', /remote_write/],
    ['wrong', /no such standby is attached/],
  ],
  [{ pages: 'off' }, 0, ['wrong', /full_page_writes/]],
  [{ version: 14 }, 0, ['wrong', /needs 15/]],
  [{ version: 19 }, 0, ['warning', /newer/]],
];

for (const [change, synchronous, ...expected] of cases)
  test(`${JSON.stringify(change)}, ${synchronous ?? 'hidden'} synchronous: ${expected.map(([level]) => level)}`, () => {
    const findings = judgeServer({ ...usual, ...change }, synchronous, null);
    assert.deepEqual(
      findings.map(({ level }) => level),
      expected.map(([level]) => level),
    );
    for (const [n, [, words]] of expected.entries()) assert.match(findings[n]!.message, words);
  });

test('commits that wait are wrong, also where the standbys can not be seen', () => {
  for (const synchronous of [1, null]) {
    const [finding, ...others] = judgeServer({ ...usual, standbys: '*' }, synchronous, { commits: 2, waitedMs: 7_400 });
    assert.equal(others.length, 0);
    assert.equal(finding!.level, 'wrong');
    assert.match(finding!.message, /^2 commits wait for a standby of PostgreSQL, for 7 s: no upload is answered/);
  }
});

test('the connections of a node: two pools for each process, one for each worker, as docs/postgresql.md has it', () => {
  const most = (change: object, cores = 4) =>
    mostConnections(settingsSchema.parse({ data: '/d', database: 'postgres://db/d', ...change }), cores);
  const api = '127.0.0.1:8080';
  assert.equal(most({ api }), 130);
  assert.equal(most({ api, databasePool: 4 }), 66);
  assert.equal(most({}), 114);
  assert.equal(most({}, 64), (2 + 9) * 16 + 2);
  assert.equal(most({ importers: 1, workers: 4 }), 3 * 16 + 4 * 8 + 2);
  assert.equal(most({ role: 'intake', workers: 4, api }), 16 + 4 * 8 + 2);
  assert.equal(most({ role: 'import', workers: 4, importers: 1 }), 3 * 16 + 2);
  assert.deepEqual(judgeConnections(97, 97), []);
  assert.match(judgeConnections(98, 97)[0]!.message, /may open 98 connections, and the server has 97/);
});
