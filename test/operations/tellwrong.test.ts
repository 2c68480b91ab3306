/** The event of what `dropslot doctor` finds wrong: once on each node, whatever others find. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEvents } from '../../db/control/events.js';
import { findType } from '../../events/types.js';
import type { Finding } from '../../operations/doctor/finding.js';
import { tellWrong } from '../../operations/doctor/tell.js';
import { openFresh } from '../support/databases.js';

test('a node that finds nothing wrong undoes no event of another one', async (t) => {
  const { control } = await openFresh(t, 'postgres');
  const wrong: Finding[] = [{ level: 'wrong', check: 'machine', subject: 'disk', message: 'is full' }];
  const examineOn = (host: string, findings: Finding[]) => tellWrong({ control, now: () => 1 }, findings, host);
  for (let round = 0; round < 3; round++) {
    await examineOn('a', wrong);
    await examineOn('b', []);
  }
  await examineOn('b', wrong);
  await examineOn('a', []);
  await examineOn('a', wrong);
  const events = await readEvents(control.read, { after: 0, to: 99, limit: 99 });
  for (const { type, data } of events) findType(type)!.data.parse(data);
  assert.deepEqual(
    events.map(({ type, data }) => `${type} ${data.host}`),
    ['doctor.wrong a', 'doctor.wrong b', 'doctor.wrong a'],
  );
});
