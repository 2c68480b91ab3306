/** A rotation is killed at each step that a crash can separate from the next: every file opens then, and the next one ends it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadMaster } from '../../keys/master/master.js';
import { openOrgIdentity } from '../../keys/master/orgidentity.js';
import { type RotationStep, rotateIdentity } from '../../operations/identityrotation.js';
import type { MasterStep } from '../../operations/masterkey.js';
import { rotateMaster } from '../../operations/masterkey.js';
import { openBlob } from '../../storage/blobs.js';
import { Company } from '../support/company.js';
import { onBothDatabases } from '../support/databases.js';
import { moduleArguments } from '../support/program.js';
import { examine, workplaceOn } from '../support/workplace.js';

const names = ['a', 'b', 'c', 'd', 'e'];
/** Each step, and which time it is reached. */
const identitySteps: [RotationStep, number][] = [
  ['begun', 1],
  ['written', 1],
  ['written', 4],
  ['moved', 1],
  ['moved', 4],
  ['recorded', 1],
  ['recorded', 3],
  ['proven', 1],
];
const masterSteps: MasterStep[] = ['added', 'resealed', 'kept', 'replaced'];

onBothDatabases('a rotation that is killed', (open) => {
  async function openFiles(t: TestContext, recipientType: 'x25519' | 'hybrid') {
    const acme = await Company.open(open, t);
    for (const name of names) await acme.drop(`/${name}.csv`, `content of ${name}`);
    const settings = { ...acme.databases.settings, recipientType };
    const place = await workplaceOn(t, settings);
    const killAt = async (what: 'org' | 'master', step: string, count: number) => {
      const args = [
        ...moduleArguments('./rotation.child', import.meta.url),
        settings.data,
        settings.database,
        recipientType,
        what,
        step,
        String(count),
      ];
      const killed = spawn(process.execPath, args, { stdio: 'inherit' });
      const [, signal] = (await once(killed, 'exit')) as [number | null, string | null];
      assert.equal(signal, 'SIGKILL');
    };
    const assertWhole = async () => {
      for (const name of names) assert.equal(await acme.read(`/${name}.csv`), `content of ${name}`);
      const findings = await examine(settings, { deep: true });
      const wrong = findings.filter(
        ({ level, check }) => level === 'wrong' && !['host_keys', 'organization'].includes(check),
      );
      assert.deepEqual(wrong, []);
    };
    return { acme, place, killAt, assertWhole };
  }

  for (const [step, count] of identitySteps)
    for (const type of step === 'moved' ? (['x25519', 'hybrid'] as const) : (['hybrid'] as const))
      test(`of an identity, to ${type}, when it has ${step} for time ${count}`, async (t) => {
        const { acme, place, killAt, assertWhole } = await openFiles(t, type);
        await killAt('org', step, count);
        await assertWhole();
        const { recipient } = await place.org('acme');
        await acme.drop('/meanwhile.csv', 'sealed to the old recipient');

        const rotation = await rotateIdentity(place, 'acme', { waitMs: 0 });
        assert.deepEqual([rotation.isFinished, rotation.recipient], [true, recipient]);
        await assertWhole();
        const org = await place.org('acme');
        assert.deepEqual(org.oldIdentities, []);
        const identity = await place.identity(org);
        const rows = await place.control.read('blobs').select('id');
        assert.equal(rows.length, names.length + 1);
        for (const { id } of rows) await (await openBlob(place.paths, id, identity)).close();
        const files = readdirSync(place.paths.blobs).flatMap((folder) => readdirSync(join(place.paths.blobs, folder)));
        assert.deepEqual(files.sort(), rows.map(({ id }) => id).sort());
      });

  for (const step of masterSteps)
    test(`of the master key, when it has ${step} it`, async (t) => {
      const { place, killAt, assertWhole } = await openFiles(t, 'x25519');
      const old = await loadMaster(place.paths);
      await killAt('master', step, 1);
      await assertWhole();
      const { recipient } = await loadMaster(place.paths);
      assert.notEqual(recipient, old.recipient);
      // At the last step it was done: another one is a rotation of its own.
      if (step !== 'replaced') assert.equal((await rotateMaster(place)).recipient, recipient);
      const master = await loadMaster(place.paths);
      assert.deepEqual([master.recipient, master.identity.includes('\n')], [recipient, false]);
      await openOrgIdentity(master, await place.org('acme'));
      await assert.rejects(openOrgIdentity(old, await place.org('acme')), { code: 'refused' });
      const kept = readdirSync(place.paths.keys).filter((name) => name.includes('.old-'));
      assert.equal(kept.length, 1);
      assert.equal((await loadMaster({ masterKey: join(place.paths.keys, kept[0]!) })).identity, old.identity);
      await assertWhole();
    });
});
