/** The provider of an organization: a change keeps what another one has just set, and brings nothing back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findOrgProvider } from '../../db/control/orgproviders.js';
import { insertOrg } from '../../db/control/orgs.js';
import { openText } from '../../keys/master/sealedtext.js';
import { type ProviderChange, removeProvider, setProvider } from '../../operations/accounts/orgprovider.js';
import { onBothDatabases } from '../support/databases.js';
import { sampleOrg } from '../support/samples.js';
import { changedBefore, workplaceOn } from '../support/workplace.js';

onBothDatabases('the provider of an organization', (open) => {
  test('of two changes at once both hold, and a provider that was removed remains so', async (t) => {
    const place = await workplaceOn(t, (await open(t)).settings);
    const { master } = await place.makeMaster();
    await insertOrg(place.control.write, sampleOrg('acme'));
    const client = { issuer: 'https://id.acme.test', clientId: 'dropslot' };
    const { key } = await setProvider(place, 'acme', { ...client, secret: 'old' });
    const set = (first: ProviderChange, second: ProviderChange) =>
      setProvider(
        changedBefore(place, 'control', () => setProvider(place, 'acme', first)),
        'acme',
        second,
      );
    await set({ passwordSignIn: 'off', secret: 'new' }, { label: 'ACME' });
    const found = (await findOrgProvider(place.control.read, { org: 'acme' }))!;
    assert.deepEqual([found.options.passwordSignIn, found.options.label, found.key], [false, 'ACME', key]);
    assert.equal(await openText(master.identity, found.secret!), 'new');

    const late = changedBefore(place, 'control', () => removeProvider(place, 'acme'));
    await assert.rejects(setProvider(late, 'acme', { label: 'Acme' }), /acme has no provider/);
    assert.equal(await findOrgProvider(place.control.read, { org: 'acme' }), null);

    // Two first ones at once are one provider, with one address of its sign-in.
    const second = await set(client, { ...client, label: 'ACME' });
    assert.equal((await findOrgProvider(place.control.read, { org: 'acme' }))!.key, second.key);
  });
});
