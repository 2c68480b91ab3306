/** Commands over all organizations ask as many questions for many of them as for a few. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setDoorAlarm } from '../../db/control/alarms.js';
import { insertBlob } from '../../db/control/blobs.js';
import { insertUpload } from '../../db/control/uploads.js';
import { listAlarmsOf } from '../../operations/alarms.js';
import { examine } from '../../operations/doctor/examine.js';
import { addKeys } from '../../operations/loginkeys.js';
import { listOrgStates } from '../../operations/orgdetails.js';
import { addOrganization } from '../../operations/orgs.js';
import { listWaiting, listWaitingAfter } from '../../operations/queue.js';
import { listRunsOf } from '../../operations/runs.js';
import { countOpenSessions } from '../../operations/sessions.js';
import { readSetup } from '../../operations/setup/document.js';
import { exportSetup } from '../../operations/setup/export.js';
import { compareSetup } from '../../operations/setup/setup.js';
import { readStatus } from '../../operations/status.js';
import type { Workplace } from '../../operations/workplace.js';
import { onBothDatabases, openFresh } from '../support/databases.js';
import { sender } from '../support/intake.js';
import { newKeyPair } from '../support/keys.js';
import { workplaceOn } from '../support/workplace.js';

/** The number of queries of some work. */
async function countQueries(place: Workplace, work: () => Promise<unknown>): Promise<number> {
  let queries = 0;
  const note = () => {
    queries += 1;
  };
  const instances = new Set([place.control.read, place.control.write, place.directory.read, place.directory.write]);
  for (const one of instances) one.on('query', note);
  await work();
  for (const one of instances) one.off('query', note);
  return queries;
}

async function addOrgs(place: Workplace, from: number, to: number): Promise<string[]> {
  const ids = Array.from({ length: to - from }, (_, at) => `org-${from + at}`);
  for (const id of ids) {
    await addOrganization(place, id, { ownerEmail: `owner@${id}.test` }, true);
    const { algorithm, publicKey } = newKeyPair().public;
    await addKeys(place, id, `${algorithm} ${publicKey} hr`, {});
  }
  return ids;
}

test('doctor, apply and export-config', async (t) => {
  const { settings } = await openFresh(t, 'sqlite');
  const place = await workplaceOn(t, settings);
  const shared: Workplace = { ...place, close: async () => {} };
  const measure = async () => ({
    doctor: await countQueries(place, () => examine(settings, async () => shared)),
    exporting: await countQueries(place, () => exportSetup(place)),
    comparing: await countQueries(place, async () => compareSetup(place, readSetup(await exportSetup(place)), true)),
  });
  await addOrgs(place, 0, 2);
  const few = await measure();
  await addOrgs(place, 2, 12);
  assert.deepEqual(await measure(), few);
});

/** A held run, an alarm, a file that waits for its slot, and one that is stored. */
async function fill({ control }: Workplace, org: string): Promise<void> {
  const hold = JSON.stringify({ at: 1, today: '2026-01-01', digest: 'x' });
  const run = { org_id: org, kind: 'manual', slot_date: null, opened_at: 1, state: 'held', hold };
  await control.write('runs').insert(run);
  const failing = { kind: 'source_failing', subject: 'source 3', detail: { since: 1 } } as const;
  await control.transact((tx) => setDoorAlarm(tx, org, failing, true, 1));
  for (const state of ['queued', 'stored'] as const) {
    const id = `${org}-${state}`.padEnd(32, '0');
    await insertBlob(control.write, { id, org, size: 1, sealedSize: 2, sha256: 'x', sealedTo: null, createdAt: 1 });
    const path = state === 'queued' ? '/users.csv' : '/users.pdf';
    await insertUpload(control.write, { ...{ org, path, blobId: id, state, ...sender }, begunAt: 0, closedAt: 1 });
  }
}

onBothDatabases('lists over all organizations', (open) => {
  test('status, orgs list, queue, runs list and alarms list', async (t) => {
    const { settings } = await open(t);
    const place = await workplaceOn(t, settings);
    const found: Record<string, number> = {};
    const measure = async () => ({
      status: await countQueries(place, () => readStatus(place, '1.0.0')),
      sessions: await countQueries(place, () => countOpenSessions(place)),
      orgs: await countQueries(place, async () => (found.orgs = (await listOrgStates(place)).length)),
      queue: await countQueries(place, async () => (found.queue = (await listWaiting(place)).files.length)),
      pageOfQueue: await countQueries(place, () => listWaitingAfter(place, { after: 0, limit: 100 })),
      runs: await countQueries(place, async () => (found.runs = (await listRunsOf(place, {})).length)),
      alarms: await countQueries(
        place,
        async () => (found.alarms = (await listAlarmsOf(place, { resolved: false })).length),
      ),
    });
    for (const id of await addOrgs(place, 0, 2)) await fill(place, id);
    const few = await measure();
    for (const id of await addOrgs(place, 2, 12)) await fill(place, id);
    assert.deepEqual(await measure(), few);
    assert.deepEqual(found, { orgs: 12, queue: 24, runs: 12, alarms: 12 });
  });
});
