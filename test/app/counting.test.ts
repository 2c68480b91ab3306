/** The audit records of a process on their way to the server that counts them: numbers and the reasons of refused logins, and no other text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type CountMessage, forwardAudit } from '../../app/counting.js';
import { recordAudit } from '../../db/control/audit.js';
import { openFresh } from '../support/databases.js';

test('the records of a process are sent once they are committed, without names', async (t) => {
  const { control } = await openFresh(t, 'sqlite');
  const sent: CountMessage[] = [];
  forwardAudit(control, (message) => sent.push(message));
  const record = (action: string, detail: object) => ({
    ...{ at: 1, org: 'acme', actor: 'key:x', action, subject: '/users.csv', detail: { ...detail } },
  });
  const close = record('upload.closed', { size: 500, ms: 12, client: 'a client', sha256: 'ab' });
  const refusal = record('login.refused', { reason: 'expired key', address: '192.0.2.7', connections: 3 });
  const failure = record('run.failed', { reason: 'a sentence about ann@acme.test' });
  await control.transact(async (tx) => {
    for (const one of [close, refusal, failure]) await recordAudit(tx, one);
  });
  const rolledBack = control.transact(async (tx) => {
    await recordAudit(tx, close);
    throw new Error('rolled back');
  });
  await assert.rejects(rolledBack, /rolled back/);
  await turn();
  assert.deepEqual(JSON.parse(JSON.stringify(sent)), [
    {
      type: 'audit',
      events: [
        { action: 'upload.closed', detail: { size: 500, ms: 12 } },
        { action: 'login.refused', detail: { connections: 3, reason: 'expired key' } },
        { action: 'run.failed', detail: {} },
      ],
    },
  ]);
});
