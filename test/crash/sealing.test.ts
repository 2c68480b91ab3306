/** A kill while directory.db is sealed or unsealed: it opens before the command is repeated, and nothing is left in the clear after. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openWorkplace } from '../../app/compose.js';
import type { Settings } from '../../config/settings.js';
import { readSealState } from '../../db/sqlite/sealstate.js';
import { sealDirectory, unsealDirectory } from '../../operations/directoryseal.js';
import { searchBytes } from '../support/bytes.js';
import { Company, csv } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { moduleArguments, runDropslot } from '../support/program.js';
import { examine } from '../support/workplace.js';

const needle = 'n33dle';
const rows = csv('User Email,User Name', ...Array.from({ length: 60 }, (_, n) => `${needle}${n}@acme.test,User ${n}`));

/** A data folder with users that no process has open. */
async function openImported(t: TestContext): Promise<Settings> {
  const databases = await openFresh(t, 'sqlite');
  const acme = await Company.join(databases);
  await acme.import({ 'users.csv': rows });
  await databases.directory.close();
  await databases.control.close();
  return databases.settings;
}

async function killAt(settings: Settings, what: 'seal' | 'unseal', step: string): Promise<void> {
  const args = [...moduleArguments('./sealing.child', import.meta.url), settings.data, what, step];
  const killed = spawn(process.execPath, args, { stdio: 'inherit' });
  const [, signal] = (await once(killed, 'exit')) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL');
}

async function countUsers(settings: Settings): Promise<number> {
  const place = await openWorkplace(settings);
  try {
    return (await place.directory.read('users').select('id')).length;
  } finally {
    await place.close();
  }
}

async function convert(settings: Settings, how: typeof sealDirectory) {
  const place = await openWorkplace(settings, { withoutDirectory: true });
  try {
    return await how(place);
  } finally {
    await place.close();
  }
}

for (const [what, step, isConverted] of [
  ['seal', 'copied', false],
  ['seal', 'linked', false],
  ['seal', 'renamed', true],
  ['unseal', 'copied', false],
  ['unseal', 'renamed', true],
] as const)
  test(`${what}, killed when it has ${step}`, async (t) => {
    const settings = await openImported(t);
    const [how, back] = what === 'seal' ? [sealDirectory, unsealDirectory] : [unsealDirectory, sealDirectory];
    if (what === 'unseal') await convert(settings, sealDirectory);
    await killAt(settings, what, step);
    assert.equal(await countUsers(settings), 61);
    const complaint = /an interrupted "dropslot directory" command left it/;
    assert.ok((await examine(settings)).some(({ message, level }) => level === 'wrong' && complaint.test(message)));

    assert.deepEqual(await convert(settings, how), { isSealed: what === 'seal', isChanged: !isConverted });
    assert.equal(await countUsers(settings), 61);
    assert.ok(!(await examine(settings)).some(({ message }) => complaint.test(message)));
    const inTheClear = what === 'seal' ? [] : [join(settings.data, 'directory.db')];
    assert.deepEqual(searchBytes(settings.data, needle).found, inTheClear);
    assert.deepEqual(await convert(settings, back), { isSealed: what !== 'seal', isChanged: true });
    assert.equal(await countUsers(settings), 61);
  });

test('the log and the stage that a killed process left are wiped, and no process may have the file open', async (t) => {
  const settings = await openImported(t);
  const file = join(settings.data, 'directory.db');
  const place = await openWorkplace(settings);
  await assert.rejects(convert(settings, sealDirectory), /another command uses .*directory\.db: stop it first/);
  await place.directory.write('users').update({ user_name: `${needle} in the log` });
  const [log, stage] = [readFileSync(`${file}-wal`), join(settings.data, 'stage', 'run_7_1.db')];
  assert.ok(log.includes(`${needle} in the log`));
  await place.close();
  writeFileSync(`${file}-wal`, log);
  mkdirSync(dirname(stage), { recursive: true });
  writeFileSync(stage, `${needle} in the stage`);

  assert.equal((await convert(settings, sealDirectory)).isChanged, true);
  assert.deepEqual(searchBytes(settings.data, needle).found, []);
  assert.equal(existsSync(stage), false);
  const again = await openWorkplace(settings);
  t.after(() => again.close());
  assert.equal((await again.directory.read('users').first('user_name')).user_name, `${needle} in the log`);
});

/** `SEAL_KILLS=200 node scripts/test.mjs test/crash/sealing.test.ts` for the long run. */
const rounds = Number(process.env.SEAL_KILLS ?? 1);

test(`the built command, killed at ${rounds} random moments: the directory opens, with every user`, async (t) => {
  const settings = await openImported(t);
  let delayMs = 400;
  for (let round = 0; round < rounds; round++) {
    const what = readSealState(join(settings.data, 'directory.db')) === 'plain' ? 'seal' : 'unseal';
    const begun = performance.now();
    const { code, stderr } = await runDropslot(['directory', what], {
      data: settings.data,
      timeoutMs: Math.random() * delayMs,
    });
    assert.ok(code === null || code === 0, stderr);
    // Aims at what one command takes on this machine.
    delayMs = code === 0 ? performance.now() - begun : Math.min(delayMs * 1.1, 20_000);
    assert.equal(await countUsers(settings), 61);
  }
  assert.equal((await convert(settings, sealDirectory)).isSealed, true);
  assert.deepEqual(searchBytes(settings.data, needle).found, []);
  assert.equal(await countUsers(settings), 61);
});
