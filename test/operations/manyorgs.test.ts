/** Commands over all organizations ask as many questions for many of them as for a few. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { examine } from '../../operations/doctor/examine.js';
import { addKeys } from '../../operations/loginkeys.js';
import { addOrganization } from '../../operations/orgs.js';
import { readSetup } from '../../operations/setup/document.js';
import { exportSetup } from '../../operations/setup/export.js';
import { compareSetup } from '../../operations/setup/setup.js';
import type { Workplace } from '../../operations/workplace.js';
import { openFresh } from '../support/databases.js';
import { newKeyPair } from '../support/keys.js';
import { workplaceOn } from '../support/workplace.js';

test('doctor, apply and export-config', async (t) => {
  const { settings } = await openFresh(t, 'sqlite');
  const place = await workplaceOn(t, settings);
  const add = async (from: number, to: number) => {
    for (let number = from; number < to; number++) {
      const id = `org-${number}`;
      await addOrganization(place, id, { ownerEmail: `owner@${id}.test` }, true);
      const { algorithm, publicKey } = newKeyPair().public;
      await addKeys(place, id, `${algorithm} ${publicKey} hr`, {});
    }
  };
  const count = async (work: () => Promise<unknown>) => {
    let queries = 0;
    const note = () => {
      queries += 1;
    };
    const instances = new Set([place.control.read, place.control.write, place.directory.read, place.directory.write]);
    for (const one of instances) one.on('query', note);
    await work();
    for (const one of instances) one.off('query', note);
    return queries;
  };
  const shared: Workplace = { ...place, close: async () => {} };
  const measure = async () => ({
    doctor: await count(() => examine(settings, async () => shared)),
    exporting: await count(() => exportSetup(place)),
    comparing: await count(async () => compareSetup(place, readSetup(await exportSetup(place)), true)),
  });
  await add(0, 2);
  const few = await measure();
  await add(2, 12);
  assert.deepEqual(await measure(), few);
});
