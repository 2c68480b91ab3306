/** If-Match: of two changes at once for the same state, one is made, and the other one is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Half } from '../../../db/connection.js';
import { setOrganization } from '../../../operations/orgs.js';
import { openApi } from '../../support/api.js';
import { onBothDatabases } from '../../support/databases.js';
import { newKeyPair } from '../../support/keys.js';
import { withChangeBefore } from '../../support/workplace.js';

onBothDatabases('If-Match', (open) => {
  test('another change that comes between the comparison and the change is not overwritten', async (t) => {
    const { place, ask, token } = await openApi(t, open);
    const { secret } = await token('admin');
    const send = (method: string, path: string, body: object, headers: Record<string, string> = {}) =>
      ask(path, { method, token: secret, headers, body });
    const { algorithm, publicKey } = newKeyPair().public;
    const key = await send('POST', '/orgs/acme/keys', { keys: `${algorithm} ${publicKey}` });
    const source = {
      host: 'sftp.example',
      user: 'u',
      path: '/out',
      password: 'x',
      hostKeys: [`SHA256:${'a'.repeat(43)}`],
    };
    const { source: id } = (await send('POST', '/orgs/acme/sources', source)).json;
    await send('POST', '/orgs/acme/fields', { label: 'Managers Email' });
    const cases: [half: Half, path: string, first: object, second: object][] = [
      ['control', '/orgs/acme', { settings: { name: 'One' } }, { settings: { name: 'Two' } }],
      ['control', `/orgs/acme/keys/${encodeURIComponent(key.json.keys[0].fingerprint)}`, { note: '1' }, { note: '2' }],
      ['control', `/orgs/acme/sources/${id}`, { path: '/1' }, { path: '/2' }],
      ['directory', '/orgs/acme/users/owner@acme.test', { set: { 'User Name': '1' } }, { set: { 'User Name': '2' } }],
      ['directory', '/orgs/acme/fields/Managers%20Email', { hidden: true }, { label: 'Leaders' }],
    ];
    for (const [half, path, first, second] of cases) {
      const etag = (await ask(path, { token: secret })).headers.get('etag')!;
      const change = (body: object) => send('PATCH', path, body, { 'if-match': etag });
      const { transact } = place[half];
      const between = async () => {
        Object.assign(place[half], { transact });
        assert.equal((await change(first)).status, 200, path);
      };
      Object.assign(place[half], { transact: withChangeBefore(place[half], between).transact });
      const late = await change(second);
      assert.deepEqual([late.status, late.json.code], [412, 'changed'], path);
    }
    assert.equal((await place.org('acme')).name, 'One');
  });

  test('a change in several transactions is compared in the first one alone', async (t) => {
    const { place, ask, token } = await openApi(t, open);
    const { secret } = await token('admin');
    await setOrganization(place, 'other', { name: 'Other' });
    const { headers } = await ask('/orgs/other', { token: secret });
    const match = { 'if-match': headers.get('etag')! };
    const removed = await ask('/orgs/other?confirm=other', { method: 'DELETE', token: secret, headers: match });
    assert.equal(removed.status, 200);
  });
});
