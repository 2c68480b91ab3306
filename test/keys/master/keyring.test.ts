/** A running process notices that an identity, or the master key, was changed beside it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Org } from '../../../db/control/orgs.js';
import { createKeyring, createWithheldKeyring } from '../../../keys/master/keyring.js';
import { generateMaster } from '../../../keys/master/master.js';
import { createOrgIdentity } from '../../../keys/master/orgidentity.js';
import { sampleOrg } from '../../support/samples.js';

test('identities are opened once, and anew when they are changed, gone, or sealed to a new master key', async () => {
  let master = await generateMaster('x25519');
  let org: Org | null = sampleOrg('acme', await createOrgIdentity(master.recipient));
  let loads = 0;
  const keyring = createKeyring({
    loadMaster: async () => {
      loads++;
      return master;
    },
    findOrg: async () => org,
  });
  const first = await keyring.open({ id: 'acme' });
  assert.equal(await keyring.open({ id: 'acme' }), first);

  const { recipient, sealedIdentity } = org;
  const made = await createOrgIdentity(master.recipient, 'hybrid');
  org = { ...org, ...made, oldIdentities: [{ recipient, sealedIdentity: sealedIdentity!, retiredAt: 1 }] };
  const both = (await keyring.open(org)).split('\n');
  assert.match(both[0]!, /^AGE-SECRET-KEY-PQ-1/);
  assert.equal(both[1], first);
  assert.equal(loads, 1);

  master = await generateMaster('hybrid');
  org = { ...org, ...(await createOrgIdentity(master.recipient)), oldIdentities: [] };
  await keyring.open(org);
  assert.equal(loads, 2, 'the master key was read again');

  org = { ...org, sealedIdentity: null };
  await assert.rejects(keyring.open(org), { code: 'destroyed' });
  org = null;
  await assert.rejects(keyring.open({ id: 'acme' }), { code: 'missing' });
});

test('a keyring that is withheld opens nothing', async () => {
  const keyring = createWithheldKeyring();
  await assert.rejects(keyring.master(), { code: 'withheld' });
  await assert.rejects(keyring.open({ id: 'acme' }), { code: 'withheld' });
});
