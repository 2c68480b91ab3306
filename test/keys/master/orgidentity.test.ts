/** An organization's identity: sealed to the master key, and opened by it alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { createOrgIdentity, openOrgIdentity } from '../../../keys/master/orgidentity.js';
import { sampleOrg } from '../../support/samples.js';

async function makeMaster() {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

test('the master key opens what was sealed to it', async () => {
  const master = await makeMaster();
  const made = await createOrgIdentity(master.recipient);
  assert.match(made.sealedIdentity, /^-----BEGIN AGE ENCRYPTED FILE-----\n/);
  const identity = await openOrgIdentity(master, sampleOrg('acme', made));
  assert.equal(await identityToRecipient(identity), made.recipient);
});

test('another master key, a broken seal, a foreign recipient and a destroyed identity are told apart', async () => {
  const master = await makeMaster();
  const made = await createOrgIdentity(master.recipient);
  const other = await createOrgIdentity(master.recipient);
  const open = (change: object, key = master) => openOrgIdentity(key, sampleOrg('acme', { ...made, ...change }));
  await assert.rejects(open({}, await makeMaster()), { name: 'KeyError', code: 'refused' });
  await assert.rejects(open({ sealedIdentity: 'nonsense' }), { code: 'malformed' });
  await assert.rejects(open({ recipient: other.recipient }), { code: 'malformed' });
  await assert.rejects(open({ sealedIdentity: null }), { code: 'destroyed' });
});
