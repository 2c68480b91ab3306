/** Logins share the commits of uploads on SQLite. On PostgreSQL none waits for the locks of another one's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { composeServer } from '../../app/compose.js';
import { createSilentLogger } from '../../config/logger.js';
import { listAttempts } from '../../db/control/loginattempts.js';
import { insertOrg } from '../../db/control/orgs.js';
import { onBothDatabases } from '../support/databases.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { sampleOrg } from '../support/samples.js';
import { workplaceOn } from '../support/workplace.js';

const logins = 8;

onBothDatabases('the commits of logins', (open) => {
  test('logins that arrive together are all recorded, and wait for each other on SQLite alone', async (t) => {
    const { settings, control } = await open(t);
    const key = newKeyPair();
    await insertOrg(control.write, sampleOrg('acme'));
    await allowKey(control, 'acme', key);
    const place = await workplaceOn(t, settings);
    let [transactions, running, most] = [0, 0, 0];
    const transact: typeof place.control.transact = async (...given) => {
      transactions++;
      most = Math.max(most, ++running);
      return place.control.transact(...given).finally(() => running--);
    };
    const workplace = { ...place, control: { ...place.control, transact } };
    const { deps, close } = await composeServer(workplace, [], createSilentLogger());
    t.after(close);
    const login = await deps.authenticator.authenticate('acme', Buffer.from(key.public.publicKey, 'base64'), null);
    assert.ok(!('denied' in login));
    [transactions, most] = [0, 0];
    const details = { address: '127.0.0.1', client: 'test', algorithms: null };
    await Promise.all(Array.from({ length: logins }, () => deps.authenticator.recordLogin(login, details)));
    assert.equal((await listAttempts(control.read, { org: 'acme', withUnknown: false, limit: 100 })).length, logins);
    const { dialect } = place.control;
    assert.deepEqual([transactions, most], dialect === 'sqlite' ? [2, 1] : [logins, logins]);
  });
});
