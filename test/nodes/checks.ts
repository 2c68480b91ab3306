/** What must hold at the end of a round, over all nodes: of slots, of reports, of events, and of what another version finds. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Envelope } from '../../events/envelope.js';
import { type ListedEvent, walkEvents } from '../../operations/events.js';
import type { Workplace } from '../../operations/workplace.js';
import { runDropslot } from '../support/program.js';
import type { Received, WebhookReceiver } from '../support/webhookreceiver.js';
import type { Build } from './build.js';
import type { Installation } from './installation.js';

export const eventTypes = 'run.*,upload.*,file.*';
const deliveryMs = 60_000;

/** One for each organization, date and time, and none before its time by the clock of the database. @returns how many */
export async function checkSlots({ control, now }: Workplace): Promise<number> {
  const slots = await control.read('runs').where({ kind: 'slot' }).select('org_id', 'slot_date', 'slot_time');
  const keys = slots.map(({ org_id, slot_date, slot_time }) => `${org_id} ${slot_date} ${slot_time}`);
  assert.equal(new Set(keys).size, keys.length, 'a slot was opened twice');
  for (const { org_id, slot_date, slot_time } of slots)
    assert.ok(Date.parse(`${slot_date}T${slot_time}Z`) <= now(), `${org_id}: a slot of ${slot_date} ${slot_time}`);
  return keys.length;
}

/** Each run that has imported files has one summary for people and one for programs, and no run has another one. */
export async function checkRunReports({ control }: Workplace, org: string): Promise<void> {
  const done = await control
    .read('uploads')
    .where({ org_id: org, state: 'imported' })
    .distinct()
    .pluck<number[]>('run_id');
  const names = await control
    .read('entries')
    .where({ org_id: org })
    .whereLike('dir', '/reports%')
    .whereLike('name', 'run-%')
    .pluck<string[]>('name');
  const expected = done.flatMap((id) => [`run-${id}.summary.json`, `run-${id}.summary.txt`]);
  assert.deepEqual(names.sort(), expected.sort(), `summaries of ${org}`);
}

/** Each event came to each of its subscribers, at least once, as one event; and there are not two of the same thing. */
export async function checkEvents(place: Workplace, hook: WebhookReceiver, orgs: readonly string[]): Promise<number> {
  const events: ListedEvent[] = [];
  for await (const event of walkEvents(place, { type: eventTypes })) events.push(event);
  const path = new URL(hook.url).pathname;
  await checkDelivered(hook, path, events);
  for (const org of orgs)
    await checkDelivered(
      hook,
      `${path}/${org}`,
      events.filter((event) => event.org === org),
    );
  const envelopes = hook.received.filter(({ request }) => request.url === path).map(envelopeOf);
  const once = [...new Map(envelopes.map((envelope) => [envelope.id, envelope])).values()];
  await checkSubjects(place, once);
  return events.length;
}

async function checkDelivered(hook: WebhookReceiver, path: string, events: readonly ListedEvent[]): Promise<void> {
  for (const deadline = performance.now() + deliveryMs; ; await sleep(200)) {
    const bodies = new Map<string, string>();
    for (const received of hook.received.filter(({ request }) => request.url === path)) {
      const { id } = envelopeOf(received);
      assert.equal(bodies.get(id) ?? received.body, received.body, `${id} is two events`);
      bodies.set(id, received.body);
    }
    const missing = events.filter(({ id }) => !bodies.has(id));
    const ids = new Set(events.map(({ id }) => id));
    for (const [id, body] of bodies) assert.ok(ids.has(id), `${path}: ${body} is no event`);
    if (missing.length === 0) return;
    assert.ok(performance.now() < deadline, `${path}: ${missing.length} events are not delivered`);
  }
}

/** One event of each type for each upload and each run, of its organization; none is missing. */
async function checkSubjects({ control }: Workplace, envelopes: readonly Envelope[]): Promise<void> {
  const uploads: { id: number; org_id: string; run_id: number; state: string }[] = await control
    .read('uploads')
    .select('id', 'org_id', 'run_id', 'state');
  const found = new Set<string>();
  for (const { type, org, data } of envelopes) {
    const { upload, run } = data;
    // An upload that was cut off has no number.
    if (upload === undefined && run === undefined) continue;
    const subject = upload === undefined ? `run ${run}` : `upload ${upload}`;
    // A run has one end.
    const key = `${type.replace('_with_problems', '')} ${org} ${subject}`;
    assert.ok(!found.has(key), `two events: ${key}`);
    found.add(key);
  }
  const expected = [
    ...uploads.map(({ id, org_id }) => `upload.completed ${org_id} upload ${id}`),
    ...uploads
      .filter(({ state }) => state === 'imported')
      .flatMap(({ org_id, run_id }) => [
        `run.started ${org_id} run ${run_id}`,
        `run.completed ${org_id} run ${run_id}`,
      ]),
  ];
  const missing = expected.filter((key) => !found.has(key));
  assert.deepEqual(missing, [], 'events that there are not');
}

function envelopeOf({ body }: Received): Envelope {
  return JSON.parse(body) as Envelope;
}

/** As checkWhole, without a look into the future: the other version's doctor examines what both have written. */
export async function checkWholeBy(build: Build, { folders, env }: Installation, database: string): Promise<void> {
  const options = { data: folders[0]!, env: { ...env, DROPSLOT_DATABASE: database }, entry: build.entry! };
  const { stdout, stderr } = await runDropslot(['doctor', '--deep', '--json'], options);
  assert.match(stdout, /^\{/, stderr);
  const { findings } = JSON.parse(stdout) as { findings: { level: string; message: string }[] };
  const bad = findings.filter(({ level, message }) => level === 'wrong' && !/^run \d+ failed: given up/.test(message));
  assert.deepEqual(bad, [], `doctor --deep of ${build.name}`);
}
