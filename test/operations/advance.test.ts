/** Long work tells how far it has come: of a file that is checked or imported, an export, an examination, a backup and its restore. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openWorkplace } from '../../app/compose.js';
import type { Advance, OnAdvance } from '../../operations/advance.js';
import { backUp } from '../../operations/backup/backup.js';
import { restore } from '../../operations/backup/restore.js';
import { exportUsers } from '../../operations/export.js';
import { checkDiskFile, importNow } from '../../operations/runs.js';
import { Company, csv } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { temporaryFolder } from '../support/temporary.js';
import { examine, workplaceOn } from '../support/workplace.js';

/** The progress of each phase, as it was told. */
function note(): { onAdvance: OnAdvance; of(phase: string): Advance[]; phases(): string[] } {
  const told: Advance[] = [];
  return {
    onAdvance: (news) => typeof news === 'string' || told.push(news),
    of: (phase) => told.filter((one) => one.phase === phase),
    phases: () => [...new Set(told.map(({ phase }) => phase))],
  };
}

const shares = (told: readonly Advance[]) => told.map(({ share }) => share ?? Number.NaN);
const isRising = (numbers: readonly number[]) => numbers.every((one, at) => at === 0 || one >= numbers[at - 1]!);

test('check, import and export tell the share of the file or of the rows', async (t) => {
  const company = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  const place = await workplaceOn(t, company.databases.settings);
  const rows = Array.from({ length: 9000 }, (_, row) => `user-${row}@acme.test,${'x'.repeat(40)}`);
  const text = csv('User Email,First Name', ...rows);
  const file = join(temporaryFolder(t), 'users.csv');
  writeFileSync(file, text);

  const check = note();
  await checkDiskFile(place, 'acme', file, { onIssues: () => {}, onAdvance: check.onAdvance });
  assert.deepEqual(check.phases(), ['computing the SHA-256', 'staging', 'planning']);
  const [first, ...others] = check.of('staging');
  assert.ok(first!.share! > 0 && first!.share! < 1 && first!.done > 0, JSON.stringify(first));
  assert.ok(isRising(shares(check.of('staging'))));
  assert.deepEqual([others.at(-1)!.share, others.at(-1)!.amount, others.at(-1)!.name], [1, '9000 rows', 'users.csv']);
  assert.equal(check.of('planning')[0]!.share, null);

  await company.drop('/users.csv', text);
  const running = note();
  await importNow(place, 'acme', running.onAdvance, new AbortController().signal);
  const [begun] = running.of('staging');
  assert.ok(begun!.share! > 0 && begun!.share! < 1, JSON.stringify(begun));
  for (const phase of ['planning', 'applying', 'reporting', 'archiving']) assert.ok(running.phases().includes(phase));

  const exporting = note();
  for await (const _ of exportUsers(place, 'acme', {}, exporting.onAdvance));
  assert.deepEqual(
    exporting.of('exporting the users').map(({ amount }) => amount),
    [2000, 4000, 6000, 8000].map((done) => `${done} of 9001 rows`),
  );
  const some = note();
  for await (const _ of exportUsers(place, 'acme', { changedSince: '2020-01-01' }, some.onAdvance));
  assert.deepEqual(some.of('exporting the users')[0], {
    ...{ phase: 'exporting the users', amount: '2000 rows', done: 2000, unit: 'rows', share: null, name: null },
  });
});

test('doctor --deep, a backup and its restore tell the share of the sealed bytes', async (t) => {
  const company = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  for (const number of [1, 2, 3]) await company.drop(`/${number}.csv`, csv('User Email', `u${number}@acme.test`));
  const { settings } = company.databases;
  const place = await workplaceOn(t, settings);
  const whole = (told: readonly Advance[]) => {
    assert.equal(told.length, 3);
    assert.ok(isRising(shares(told)) && shares(told)[0]! > 0, JSON.stringify(told));
    assert.deepEqual([told.at(-1)!.share, told.at(-1)!.unit], [1, 'bytes']);
    assert.match(told.at(-1)!.amount, /^3 of 3 files, /);
  };

  const deep = note();
  await examine(settings, { deep: true, onProgress: deep.onAdvance });
  whole(deep.of('opening the sealed files'));
  assert.equal(deep.phases()[0], 'reading the databases');

  const backup = note();
  const folder = join(temporaryFolder(t), 'backup');
  await backUp(place, folder, { includeKeys: true, pgDump: 'pg_dump', onProgress: backup.onAdvance });
  whole(backup.of('copying the sealed files'));
  assert.deepEqual(backup.phases(), [
    'copying the databases',
    'copying the sealed files',
    'reading the copies of the databases',
  ]);

  const back = note();
  const choice = { file: undefined, overrides: { data: join(temporaryFolder(t), 'data') } };
  await restore(choice, openWorkplace, folder, { onProgress: back.onAdvance });
  whole(back.of('copying the sealed files'));
});
