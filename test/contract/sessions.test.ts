/** Open sessions in both databases: shown while their process lives, ended when an operator asks for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSilentLogger } from '../../config/logger.js';
import { insertOrg } from '../../db/control/orgs.js';
import {
  askEnds,
  countSessions,
  leaseMs,
  listAskedEnds,
  listSessions,
  type OpenSession,
  writeSessions,
} from '../../db/control/sessions.js';
import { endSessions, listOpenSessions } from '../../operations/sessions.js';
import { createSessionRegister, type Registration } from '../../server/sessionregister.js';
import { onBothDatabases } from '../support/databases.js';
import { sampleOrg } from '../support/samples.js';
import { until } from '../support/session.js';
import { openScope } from '../support/temporary.js';
import { workplaceOn } from '../support/workplace.js';

const still = { filesReceived: 0, filesSent: 0, bytesReceived: 0, bytesSent: 0, openFiles: 0, openBytes: 0 };

function sessionOf(id: string, org: string, startedAt: number): OpenSession {
  const about = { fingerprint: null, address: '192.0.2.7', client: 'OpenSSH_9.2p1' };
  return { id, org, startedAt, ...about, ...still, bytesPerSecond: 0 };
}

onBothDatabases('open sessions', (open) => {
  const limit = 100;

  test('are listed while the lease of their process holds, and its rows are removed later', async (t) => {
    const { control } = await open(t);
    const one = { id: 'a', name: 'h:1', kind: 'serve' as const };
    const two = { id: 'b', name: 'h:2', kind: 'sshd' as const };
    const at = 1_000_000;
    const many = Array.from({ length: 120 }, (_, index) => sessionOf(`s${index}`, 'acme', at + index));
    assert.equal(await writeSessions(control.write, one, { at, written: many, ended: [] }), false);
    await writeSessions(control.write, two, { at, written: [sessionOf('t', 'globex', at)], ended: [] });
    assert.equal(
      await writeSessions(control.write, one, {
        at: at + 5000,
        written: [{ ...many[0]!, bytesReceived: 7_000_000_000, openFiles: 1, openBytes: 5, bytesPerSecond: 9 }],
        ended: many.slice(3).map(({ id }) => id),
      }),
      true,
    );
    const listed = await listSessions(control.read, { now: at + 5000, limit });
    assert.deepEqual(
      listed.map(({ id, server }) => [id, server]),
      [
        ['s0', 'h:1'],
        ['t', 'h:2'],
        ['s1', 'h:1'],
        ['s2', 'h:1'],
      ],
    );
    const { bytesReceived, openFiles, openBytes, bytesPerSecond } = listed[0]!;
    assert.deepEqual([bytesReceived, openFiles, openBytes, bytesPerSecond], [7_000_000_000, 1, 5, 9]);
    assert.deepEqual(
      [...(await countSessions(control.read, at + 5000))].sort(),
      [
        ['acme', 3],
        ['globex', 1],
      ],
      'of both processes',
    );
    // The second process was killed: it renews no more.
    assert.deepEqual([...(await countSessions(control.read, at + leaseMs))], [['acme', 3]]);
    await writeSessions(control.write, one, { at: at + 61_000, written: [], ended: [] });
    assert.deepEqual((await control.read('sessions').select('org_id')).map(({ org_id }) => org_id).sort(), [
      'acme',
      'acme',
      'acme',
    ]);
  });

  test('a process reads which of its own are to end', async (t) => {
    const { control } = await open(t);
    for (const id of ['a', 'b'])
      await writeSessions(
        control.write,
        { id, name: id, kind: 'serve' },
        { at: 5, written: [sessionOf(`${id}1`, 'acme', 5)], ended: [] },
      );
    await askEnds(control.write, ['a1'], 'operator:jo');
    assert.deepEqual(await listAskedEnds(control.read, 'a'), [{ id: 'a1', by: 'operator:jo' }]);
    assert.deepEqual(await listAskedEnds(control.read, 'b'), []);
  });

  test('the register shows them, follows their transfers, and ends those that an operator ends', async (t) => {
    const scope = openScope();
    t.after(() => scope.close());
    const { control, settings } = await open(t);
    const place = await workplaceOn(t, settings);
    await insertOrg(control.write, sampleOrg('acme'));
    const deps = { control, logger: createSilentLogger(), now: Date.now, everyMs: 20 };
    const register = createSessionRegister({ ...deps, kind: 'serve' });
    const other = createSessionRegister({ ...deps, kind: 'sshd' });
    scope.after(() => register.stop());
    scope.after(() => other.stop());
    let progress = { ...still };
    const ends: string[] = [];
    const session = (client: string, remove: () => void): Registration => ({
      ...{ org: 'acme', fingerprint: 'SHA256:x', address: '192.0.2.7', client },
      progress: () => progress,
      end: (by) => {
        ends.push(`${client} by ${by}`);
        remove();
      },
    });
    const removeOne = register.add(session('one', () => removeOne()));
    const removeTwo = other.add(session('two', () => removeTwo()));
    const list = () => listOpenSessions(place, 'acme');
    await until(async () => (await list()).length === 2, 'both to be listed');
    progress = { ...still, bytesReceived: 1000, openFiles: 1, openBytes: 1000 };
    await until(async () => (await list()).every(({ openBytes }) => openBytes === 1000), 'their progress');
    const [one] = (await list()).filter(({ client }) => client === 'one');
    const { ended, waiting } = await endSessions(place, { ids: [one!.id] });
    assert.deepEqual([ended.map(({ client }) => client), waiting], [['one'], []]);
    assert.deepEqual(
      (await list()).map(({ client }) => client),
      ['two'],
    );
    await assert.rejects(endSessions(place, { ids: [one!.id] }), { code: 'not_found' });
    await endSessions(place, { org: 'acme' });
    assert.deepEqual(ends, [`one by ${place.actor}`, `two by ${place.actor}`]);
    const records = await control.read('audit').where({ action: 'session.ended' }).select('org_id', 'actor');
    assert.deepEqual(records, [
      { org_id: 'acme', actor: place.actor },
      { org_id: 'acme', actor: place.actor },
    ]);
    await assert.rejects(listOpenSessions(place, 'nowhere'), { code: 'not_found' });
  });
});
