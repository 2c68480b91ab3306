/** Checks of files: they wait for their turn, an organization has its share, and one that has no place sends no body. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApi } from '../../support/api.js';

const csv = 'User Email\nli@acme.test\n';

test('checks that are sent together are made one after the other; beyond its share an organization sends no file', async (t) => {
  const { ask, token } = await openApi(t);
  const { secret } = await token('admin');
  const headers = { 'content-type': 'text/csv' };
  const check = (org: string) => ask(`/orgs/${org}/checks`, { method: 'POST', token: secret, body: csv, headers });
  const together = await Promise.all([check('acme'), check('other'), check('acme')]);
  assert.deepEqual(
    together.map(({ status }) => status),
    [200, 200, 200],
  );
  // Bodies that have not arrived yet hold the places of their organization.
  let pulled = 0;
  const ends: (() => void)[] = [];
  const slowly = () =>
    new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          pulled++;
          return new Promise((resolve) =>
            ends.push(() => {
              controller.enqueue(Buffer.from(csv));
              controller.close();
              resolve();
            }),
          );
        },
      },
      { highWaterMark: 0 },
    );
  const send = () => ask('/orgs/acme/checks', { method: 'POST', token: secret, headers, stream: slowly() });
  const [first, second] = [send(), send()];
  while (ends.length < 2) await new Promise(setImmediate);
  const third = await send();
  assert.deepEqual([third.status, third.json.code, pulled], [503, 'unavailable', 2]);
  assert.equal((await check('other')).status, 200);
  for (const end of ends) end();
  assert.deepEqual([(await first).status, (await second).status], [200, 200]);
  assert.equal((await check('acme')).status, 200);
});

test('an organization has few downloads at a time, and its neighbour has its own', async (t) => {
  const { fetch, token } = await openApi(t);
  const { secret } = await token('admin');
  const begin = (org: string) =>
    fetch(
      new Request(`http://localhost/api/v1/orgs/${org}/exports/users`, {
        headers: { authorization: `Bearer ${secret}` },
      }),
    );
  const open = [];
  for (let n = 0; n < 6; n++) open.push(await begin('acme'));
  assert.deepEqual(
    open.map(({ status }) => status),
    [200, 200, 200, 200, 200, 200],
  );
  assert.equal((await begin('acme')).status, 503);
  const beside = await begin('other');
  assert.match(await beside.text(), /owner@other\.test/);
  await open[0]!.body!.cancel();
  assert.match(await open[1]!.text(), /owner@acme\.test/);
  const next = await begin('acme');
  assert.equal(next.status, 200);
  for (const one of [...open.slice(2), next]) await one.body!.cancel();
});
