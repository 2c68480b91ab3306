/** The sender is killed at each step, the receiver breaks off, the database fails: at least once, in order, none invented. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Db } from '../../db/connection.js';
import type { BatchEnvelope, Envelope } from '../../events/envelope.js';
import { Company } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { fillOutbox, firsts } from '../support/eventorder.js';
import { deliverTo, Receiver, subscribe } from '../support/events.js';
import { moduleArguments } from '../support/program.js';
import { receiveWebhooks } from '../support/webhookreceiver.js';

const rounds = Number(process.env.TEST_KILLS ?? 2);

test('a sender that is killed at each step, and a receiver that breaks off, lose and invent nothing', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  const { databases } = acme;
  const ids: string[] = [];
  const requests: string[] = [];
  let breaks = 0;
  const { url } = await receiveWebhooks(t, (request, response, body) => {
    const got = JSON.parse(body) as Envelope | BatchEnvelope;
    requests.push(got.id);
    // The receiver dies before it has stored the event, or after that and before its answer.
    breaks++;
    if (breaks === 3) return void request.socket.destroy();
    ids.push(...(got.type === 'batch' ? (got as BatchEnvelope).data.events : [got as Envelope]).map(({ id }) => id));
    if (breaks === 5) return void request.socket.destroy();
    response.writeHead(204).end();
  });
  await subscribe(databases, {
    ...{ id: 's', kind: 'webhook', secret: 'sealed', options: { url, allowHttp: true, allowPrivate: true, batch: 3 } },
  });
  const expected = await fillOutbox(acme);
  const steps = ['begun', 'sent', 'noted'];
  for (let kill = 0; kill < rounds * steps.length; kill++) {
    await databases.control.write('subscribers').update({ next_at: null });
    const step = steps[kill % steps.length]!;
    const args = moduleArguments('sender.child', import.meta.url);
    const child = spawn(process.execPath, [...args, databases.settings.data, step, '1'], { stdio: 'inherit' });
    const [, signal] = await once(child, 'exit');
    assert.equal(signal, 'SIGKILL', step);
  }
  await databases.control.write('subscribers').update({ next_at: null });
  const last = spawn(
    process.execPath,
    [...moduleArguments('sender.child', import.meta.url), databases.settings.data, 'never', '1'],
    { stdio: 'inherit' },
  );
  const exited = once(last, 'exit');
  const deadline = performance.now() + 20_000;
  while (!ids.includes(expected.at(-1)!) && performance.now() < deadline) {
    await databases.control.write('subscribers').update({ next_at: null });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  last.kill('SIGKILL');
  await exited;
  assert.deepEqual(firsts(ids), expected);
  assert.ok(ids.length > expected.length, 'some were repeated');
  // A repeated batch has the id that it had.
  const batches = requests.filter((id) => id.startsWith('bat_'));
  assert.equal(new Set(batches).size, 4, '7 users: 3, 3 and one alone; 5 users: 3 and 2');
});

test('a database that fails at any moment loses and invents nothing', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  const { databases } = acme;
  await subscribe(databases, { id: 's', options: { batch: 3 } });
  const expected = await fillOutbox(acme);
  let calls = 0;
  const failing: Db = {
    ...databases.control,
    transact: async (work) => {
      // Before the work, after it, or after the commit, by turns: the answer of the database is lost.
      const turn = calls++ % 7;
      if (turn === 1) throw Object.assign(new Error('away'), { code: '57P01' });
      if (turn === 3)
        return databases.control.transact(async (tx) => {
          await work(tx);
          throw new Error('rolled back');
        });
      const result = await databases.control.transact(work);
      if (turn === 5) throw new Error('committed, and the answer was lost');
      return result;
    },
  };
  const receiver = new Receiver();
  const deliveries = deliverTo(t, { control: failing, directory: databases.directory }, receiver);
  await receiver.until(() => receiver.events().some(({ id }) => id === expected.at(-1)));
  await deliveries.stop();
  const ids = receiver.events().map(({ id }) => id);
  assert.deepEqual(firsts(ids), expected);
  assert.ok(ids.length > expected.length, 'some were repeated');
});
