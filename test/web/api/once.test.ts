/** POST requests with an Idempotency-Key: carried out once, answered as often as they are sent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db } from '../../../db/connection.js';
import { claimRequest, forgetRequest } from '../../../db/control/apirequests.js';
import { listAudit } from '../../../db/control/audit.js';
import { carryOutOnce } from '../../../operations/apirequests.js';
import { answerJson } from '../../../web/api/answer.js';
import { answerOnce } from '../../../web/api/once.js';
import { Reply, type Route } from '../../../web/api/route.js';
import { openApi } from '../../support/api.js';
import { onBothDatabases } from '../../support/databases.js';
import { beforeStatement } from '../../support/interleave.js';

onBothDatabases('Idempotency-Key', (openDatabases) => {
  test('a repeated POST gets the answer of the first one', async (t) => {
    const { place, ask, token } = await openApi(t, openDatabases);
    const { id, secret } = await token('operate');
    const stranger = await token('operate');
    const open = (key: string, path = '/orgs/acme/imports', by = secret) =>
      ask(path, { method: 'POST', token: by, headers: { 'idempotency-key': key } });
    const first = await open('one');
    assert.equal(first.status, 202);
    const again = await open('one');
    assert.deepEqual([again.status, again.json], [202, first.json]);
    const opened = async () =>
      (await listAudit(place.control.read, 'acme')).filter(({ action }) => action === 'run.opened').length;
    assert.equal(await opened(), 1);
    assert.equal((await open('one', '/orgs/acme/imports', stranger.secret)).status, 202);
    assert.equal((await open('two')).status, 202);
    assert.equal(await opened(), 3);

    assert.match((await open('one', '/orgs/other/imports')).json.detail, /another request/);
    assert.match((await open('a b')).json.detail, /at most 100/);

    // A request that was refused may be sent again.
    const refused = () => open('three', `/orgs/acme/runs/${first.json.id}/undo`);
    for (const answer of [await refused(), await refused()]) assert.match(answer.json.detail, /applied nothing/);

    // One that was cut off by a crash is not carried out again.
    const requests = () => place.control.write('api_requests').where({ token_id: id });
    await requests().where({ key: 'two' }).update({ answer: null });
    assert.match((await open('two')).json.detail, /has not ended/);

    const many = Array.from({ length: 1_005 }, (_, n) => ({
      ...{ token_id: id, key: `k${n}`, digest: '', at: place.now() + n },
    }));
    for (let from = 0; from < many.length; from += 200)
      await place.control.write('api_requests').insert(many.slice(from, from + 200));
    await open('four');
    assert.equal((await requests().select('key')).length, 1_001);
    await requests().update({ at: place.now() - 86_400_001 });
    await open('five');
    assert.deepEqual(await requests().pluck('key'), ['five']);
  });

  test('a request whose COMMIT got no answer is not carried out again', async (t) => {
    const { place, token } = await openApi(t, openDatabases);
    const { id } = await token('admin');
    const request = { token: id, key: 'one', digest: '' };
    let count = 0;
    const carryOut = (work: (control: Db) => Promise<unknown>) =>
      carryOutOnce(place, request, () => {
        count++;
        return work(place.control);
      });
    const lost = Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });
    const fails = carryOut(({ transact }) =>
      transact(async () => {
        throw lost;
      }),
    );
    await assert.rejects(fails, lost);
    // Before the COMMIT nothing is written: the key is free.
    const unanswered = Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });
    await assert.rejects(
      carryOut(async ({ transact }) => {
        await transact(async (tx) => tx('api_requests').where({ token_id: id }).update({ digest: '' }));
        throw unanswered;
      }),
      unanswered,
    );
    await assert.rejects(
      carryOut(async () => null),
      /has not ended, or was cut off: look whether its change was made/,
    );
    assert.equal(count, 2);
  });

  test('a key that is free again at the moment of a repetition belongs to the repetition', async (t) => {
    const { place, token } = await openApi(t, openDatabases);
    const { id } = await token('admin');
    const request = { token: id, key: 'one', digest: '', at: 1 };
    const { write } = place.control;
    await claimRequest(write, request);
    const afterInsert = beforeStatement(write, 2, () => forgetRequest(write, id, 'one'));
    assert.equal(await claimRequest(afterInsert, request), null);
    assert.equal((await claimRequest(write, request))?.key, 'one');
  });

  test('a repetition has the status and the headers of the first answer too', async (t) => {
    const { place, token } = await openApi(t, openDatabases);
    const own = await token('admin');
    const route = { method: 'POST', path: '/orgs/{org}/users/{email}/erase', status: 200 } as Route;
    const once = { header: 'one', request: [], secret: own.secret };
    const send = async () => {
      const reply = new Reply({ receipt: '1' }, { location: '/erasures/1' }, 202);
      const answer = answerJson(
        await answerOnce(place, own as never, route, once, async () => reply),
        route,
        undefined,
      );
      return [answer.status, answer.headers.get('location'), await answer.json()];
    };
    const first = await send();
    assert.deepEqual(first, [202, '/erasures/1', { receipt: '1' }]);
    assert.deepEqual(await send(), first);
  });
});
