/** The outbox: events are written with the transaction of their cause, in the order of the commits, and fit the schema of their type. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordAudit } from '../../db/control/audit.js';
import { newEventId } from '../../db/control/eventrows.js';
import { readEvents, recordEvent } from '../../db/control/events.js';
import { actionsWithEvents, eventOfRecord } from '../../db/control/eventsofaudit.js';
import { deactivateDue } from '../../db/directory/deactivations.js';
import { readDirectoryEvents } from '../../db/directory/events.js';
import { envelopeOf, envelopesOf } from '../../events/envelope.js';
import { eventTypes, findType, matchTypes } from '../../events/types.js';
import { confirmField } from '../../operations/customfields.js';
import { eraseUser } from '../../operations/people/erase.js';
import { deactivateUser, setUser } from '../../operations/people/users.js';
import { readAssignment } from '../../operations/people/values.js';
import { undoRunNow } from '../../operations/runs.js';
import { Company, csv } from '../support/company.js';
import { onBothDatabases, type TestDatabases } from '../support/databases.js';
import { workplaceOn } from '../support/workplace.js';

const all = { after: 0, to: Number.MAX_SAFE_INTEGER, limit: 1000 };
const event = (type: string) => ({ at: 1, org: null, type, subject: type, data: {} });

async function controlTypes({ control }: Pick<TestDatabases, 'control'>): Promise<string[]> {
  return (await readEvents(control.read, all)).map(({ type }) => type);
}

onBothDatabases('the outbox', (open) => {
  test('an event is there exactly if its transaction commits, in the order of the commits', async (t) => {
    const { control } = await open(t);
    await recordEvent(control.write, event('alone'));
    await control.transact((tx) => recordEvent(tx, event('transact')));
    await control.write.transaction((tx) => recordEvent(tx, event('plain')));
    const record = { at: 2, org: 'acme', actor: 'operator:jo', action: 'org.enabled', subject: 'acme', detail: {} };
    await control.transact((tx) => recordAudit(tx, record));
    await assert.rejects(
      control.transact(async (tx) => {
        await recordEvent(tx, event('lost'));
        await recordAudit(tx, record);
        throw new Error('rolled back');
      }),
    );
    const events = await readEvents(control.read, all);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['alone', 'transact', 'plain', 'org.enabled'],
    );
    assert.deepEqual([events[3]!.org, events[3]!.at, events[3]!.subject], ['acme', 2, 'acme']);
    for (const { id } of events) assert.match(id, /^evt_[0-9a-f]{26}$/);
    assert.equal(new Set(events.map(({ id }) => id)).size, events.length);
    const times = [0, 1, 5 * 365 * 86_400_000, 2 ** 41, 2 ** 41 + 1].map(newEventId);
    assert.deepEqual([...times].sort(), times, 'an index of the ids grows at its end');
    // Many at once: whoever commits later has a higher number.
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        await control.transact((tx) => recordEvent(tx, { ...event('many'), at: index }));
        order.push(index);
      }),
    );
    assert.equal((await readEvents(control.read, all)).length, 16);
    assert.equal(order.length, 12);
  });

  test('an import, its undo and a person have their events, which fit the schemas', async (t) => {
    const acme = await Company.open(open, t);
    const { control, directory } = acme.databases;
    const place = { ...(await workplaceOn(t, acme.databases.settings)), now: () => acme.clock };
    const header = 'User Email,User Name,Manager Email,Teams,Office,Deactivation Date';
    await acme.import({
      'users.csv': csv(
        header,
        'ann@acme.test,Ann,bob@acme.test,Sales,Berlin,',
        'bob@acme.test,Bob,,,Bonn,2026-12-31',
        'cyd@acme.test,Cyd,,,Ulm,2020-01-01',
        'not an address,,,,,',
      ),
    });
    const first = await readDirectoryEvents(directory.read, all);
    const types = first.map(({ type }) => type).filter((type) => type !== 'user.created');
    assert.deepEqual(types.sort(), [
      'field.created',
      'team.created',
      'user.deactivated',
      'user.deactivation_scheduled',
    ]);
    assert.deepEqual((await controlTypes(acme.databases)).slice(-3), [
      'upload.completed',
      'run.started',
      'run.completed_with_problems',
    ]);
    acme.clock += 86_400_000;
    await acme.import({ 'users.csv': csv(header, 'ann@acme.test,Anna,cyd@acme.test,Sales,Berlin,') });
    const run = (await readEvents(control.read, all)).at(-1)!.run!;
    const updated = (await readDirectoryEvents(directory.read, all)).filter((one) => one.run === run);
    assert.deepEqual(
      updated.map(({ type }) => type),
      ['user.updated'],
    );
    const [plain] = await envelopesOf(directory.read, updated, false);
    assert.deepEqual(plain!.data, { user: Number(updated[0]!.entityId), fields: ['User Name', 'Manager Email'] });
    const created = await envelopesOf(directory.read, first, true);
    const ann = created.find(({ type, data }) => type === 'user.created' && data.email === 'ann@acme.test')!;
    assert.deepEqual((ann.data.fields as string[]).sort(), [
      ...['Is Org Admin', 'Manager Email', 'Office', 'Status', 'Teams', 'User Account Type', 'User Email', 'User Name'],
    ]);
    assert.deepEqual((ann.data.changes as unknown[]).at(-2), { field: 'Office', before: null, after: 'Berlin' });
    const [personal] = await envelopesOf(directory.read, updated, true);
    assert.deepEqual(personal!.data.email, 'ann@acme.test');
    assert.deepEqual((personal!.data.changes as unknown[])[0], { field: 'User Name', before: 'Ann', after: 'Anna' });

    await undoRunNow(place, String(run), () => {}, new AbortController().signal);
    assert.deepEqual((await controlTypes(acme.databases)).slice(-3), ['run.started', 'run.completed', 'run.undone']);
    await setUser(place, 'acme', 'ann@acme.test', [readAssignment('Office=Kiel')]);
    await deactivateUser(place, 'acme', 'ann@acme.test', null);
    await confirmField(place, 'acme', 'Cost Center', 'text');
    acme.clock = Date.UTC(2027, 0, 2);
    await deactivateDue(directory, acme.clock);
    await eraseUser(place, 'acme', 'bob@acme.test', { removesUnsearched: false, waitMs: 0 });
    const last = (await readDirectoryEvents(directory.read, { ...all, after: updated[0]!.seq })).map(
      ({ type }) => type,
    );
    assert.deepEqual(last, [
      'user.updated', // the undo
      'user.updated',
      'user.deactivated',
      'field.created',
      'user.deactivated', // bob, at his time
      'user.updated', // ann, whose manager is gone, as the first import has it
      'user.erased',
    ]);

    const stored = await readEvents(control.read, all);
    const told = [
      ...stored.map((one) => envelopeOf(one, true)),
      ...(await envelopesOf(directory.read, await readDirectoryEvents(directory.read, all), true)),
    ];
    for (const { type, data } of told) findType(type)!.data.parse(data);
    // Of the erased person nothing but the id is left, in events that were not delivered yet too.
    assert.ok(told.some(({ type, data }) => type === 'user.created' && data.email === 'ann@acme.test'));
    assert.ok(!JSON.stringify(told.filter(({ type }) => type.startsWith('user.'))).includes('bob@acme.test'));
    const everything = [...(await directory.read('events')), ...(await control.read('events'))];
    assert.ok(!/(bob|ann|cyd|Anna)@?/.test(JSON.stringify(everything.map(({ id: _, ...rest }) => rest))));
  });
});

test('every event of an audit record has a type, and its example fits its schema', () => {
  for (const action of actionsWithEvents) {
    const record = { at: 1, org: null, actor: 'system', action, subject: 'run 1', detail: {} };
    const { type } = eventOfRecord(record)!;
    assert.ok(findType(type) !== null, `${action} gives ${type}`);
  }
  assert.equal(
    eventOfRecord({ at: 1, org: 'a', actor: 'key:x', action: 'login.refused', subject: '', detail: {} }),
    null,
  );
  for (const { name, data, example, personal, meaning } of eventTypes) {
    assert.ok(data.safeParse(example).success, name);
    for (const key of personal) assert.ok(key in data.shape, `${name}: ${key}`);
    assert.match(meaning, /\.$/, name);
  }
});

test('patterns name types', () => {
  assert.deepEqual(matchTypes(['alarm.*', 'run.held']), ['run.held', 'alarm.opened', 'alarm.resolved']);
  assert.equal(matchTypes(['*'])!.length, eventTypes.length);
  for (const wrong of ['run', 'runs.*', 'run.hel', '', '*.held', 'run*'])
    assert.equal(matchTypes([wrong]), null, wrong);
});
