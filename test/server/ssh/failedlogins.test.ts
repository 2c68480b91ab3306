/** Failed logins of unknown clients: counted in the audit trail, in a bounded number of records. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSilentLogger } from '../../../config/logger.js';
import type { Db } from '../../../db/connection.js';
import { readRecords } from '../../../db/control/audit.js';
import { createFailedLogins } from '../../../server/ssh/failedlogins.js';
import { openFresh } from '../../support/databases.js';
import { newKeyPair } from '../../support/keys.js';
import { connect, startTestServer } from '../../support/server.js';

async function refusalsIn(control: Db): Promise<{ subject: string; detail: Record<string, unknown> }[]> {
  const found = [];
  for await (const { action, subject, detail } of readRecords(control.read))
    if (action === 'login.refused') found.push({ subject, detail: JSON.parse(detail) });
  return found;
}

test('an address is one record with the number of connections, at the latest when the server stops', async (t) => {
  const server = await startTestServer(t);
  const { private: privateKey } = newKeyPair();
  for (let count = 0; count < 3; count++) await assert.rejects(connect(t, { ...server.login, privateKey }));
  await connect(t, server.login);
  await server.stop(0);
  assert.deepEqual(await refusalsIn(server.control), [
    { subject: '127.0.0.1', detail: { reason: 'no login', address: '127.0.0.1', connections: 3 } },
  ]);
});

test('a flood from everywhere leaves a bounded number of records, and all its connections are counted', async (t) => {
  const { control } = await openFresh(t, 'sqlite');
  const failedLogins = createFailedLogins({ control, logger: createSilentLogger(), now: () => 1 });
  for (let number = 0; number < 5000; number++) failedLogins.count(`2001:db8::${number.toString(16)}`);
  for (let again = 0; again < 7; again++) failedLogins.count('2001:db8::5');
  await failedLogins.stop();
  const refusals = await refusalsIn(control);
  assert.equal(refusals.length, 51);
  assert.deepEqual(refusals[0], {
    subject: '2001:db8::5',
    detail: { reason: 'no login', address: '2001:db8::5', connections: 8 },
  });
  assert.equal(refusals.at(-1)!.subject, 'other addresses');
  const connections = refusals.reduce((sum, { detail }) => sum + Number(detail.connections), 0);
  assert.equal(connections, 5007);
});
