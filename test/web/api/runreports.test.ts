/** Streams of the progress of runs: each has a place while it is read, and no longer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApi } from '../../support/api.js';

test('a stream of progress has a place from its beginning to its end, and an organization leaves places to others', async (t) => {
  const api = await openApi(t);
  const { secret } = await api.token('read');
  const runs = new Map<string, number>();
  for (const org of ['acme', 'other']) {
    const row = { org_id: org, kind: 'manual', slot_date: null, opened_at: 1, state: 'open' };
    const [{ id }] = await api.place.control.write('runs').insert(row).returning('id');
    runs.set(org, id);
  }
  const open: Response[] = [];
  t.after(() => Promise.all(open.map(({ body }) => body!.cancel())));
  const follow = async (org: string) => {
    const url = `http://localhost/api/v1/orgs/${org}/runs/${runs.get(org)}/progress`;
    const answer = await api.fetch(new Request(url, { headers: { authorization: `Bearer ${secret}` } }));
    if (answer.status === 200) open.push(answer);
    return answer;
  };
  for (let n = 0; n < 10; n++) assert.equal((await follow('acme')).status, 200);
  const refused = await follow('acme');
  assert.equal(refused.status, 503);
  assert.match(await refused.text(), /10 of this organization, follow runs already: get the run/);
  for (let n = 0; n < 10; n++) assert.equal((await follow('other')).status, 200);
  await open.shift()!.body!.cancel();
  assert.equal((await follow('acme')).status, 200);
});
