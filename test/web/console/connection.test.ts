/** The page Connection: last connections, changes of keys at once or after an operator's yes, addresses, host, and PGP. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findLoginKey, listLoginKeys } from '../../../db/control/keys.js';
import { noteAttempt } from '../../../db/control/loginattempts.js';
import { generatePgpKey } from '../../../keys/pgp/pgpkey.js';
import { addPassword } from '../../../operations/credentials.js';
import { rotateKeys } from '../../../operations/loginkeyrotation.js';
import { addKeys } from '../../../operations/loginkeys.js';
import { setOrganization } from '../../../operations/orgs.js';
import { readAssignments } from '../../../operations/orgsettings/orgsettings.js';
import { listPgp } from '../../../operations/pgp.js';
import { openTestConsole } from '../../support/console.js';
import { allowKey, newKeyPair } from '../../support/keys.js';

const page = '/orgs/acme/connection';
const textOf = ({ text }: { text: string }) => text.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ');
const lineOf = ({ public: key }: ReturnType<typeof newKeyPair>) => `${key.algorithm} ${key.publicKey}`;

test('refused logins of the own keys are shown with what to do; those of strangers to operators alone', async (t) => {
  const { place, person, clock } = await openTestConsole(t);
  const pair = newKeyPair();
  const { fingerprint } = pair.public;
  await allowKey(place.control, 'acme', pair);
  const attempt = { at: clock.now, address: '192.0.2.7', client: 'OpenSSH_9.2', fingerprint, credential: fingerprint };
  await noteAttempt(place.control.write, { ...attempt, org: 'acme', reason: 'address not allowed for this key' });
  const strange = { address: '198.51.100.9', fingerprint: 'SHA256:stranger', credential: null, reason: 'unknown key' };
  await noteAttempt(place.control.write, { ...attempt, ...strange, org: 'acme' });
  await noteAttempt(place.control.write, {
    ...attempt,
    org: 'other',
    credential: null,
    reason: 'expired key',
    address: '203.0.113.1',
  });
  const ofAdmin = textOf(await (await person('admin', 'acme')).get(page));
  assert.match(
    ofAdmin,
    /refused the address is not one that the key allows Change the addresses of the key on the page Connection\. 192\.0\.2\.7 OpenSSH_9\.2/,
  );
  assert.doesNotMatch(ofAdmin, /stranger|198\.51|203\.0/);
  const ofOperator = textOf(await (await person('operator')).get(page));
  assert.match(
    ofOperator,
    /the key is not known .* 198\.51\.100\.9 .* SHA256:stranger \(not a key of this organization\)/,
  );
  assert.doesNotMatch(ofOperator, /203\.0\.113/);
});

test('with keyChanges=operator a new key waits for an operator, and counts as added by the person who asked', async (t) => {
  const { place, person } = await openTestConsole(t);
  await setOrganization(place, 'acme', readAssignments(['keyChanges=operator']));
  const [admin, operator] = [await person('admin', 'acme'), await person('operator')];
  const [old, fresh, unwanted] = [newKeyPair(), newKeyPair(), newKeyPair()];
  await operator.post(`${page}/keys`, { key: lineOf(old), others: 'keep' });
  const find = (pair: typeof old) => findLoginKey(place.control.read, 'acme', pair.public.fingerprint);
  assert.equal((await find(old))!.addedBy, `web:${operator.email}`);

  const asked = await admin.post(`${page}/keys`, { key: lineOf(fresh), from: '192.0.2.0/24', others: 'replace' });
  assert.equal(asked.headers.get('location'), `${page}?done=requested`);
  await admin.post(`${page}/keys`, { key: lineOf(unwanted), others: 'keep' });
  assert.deepEqual([await find(fresh), await find(unwanted)], [null, null]);
  const shown = await admin.get(page);
  assert.match(textOf(shown), /wait for your operator .* a new key in place of the others .* 192\.0\.2\.0\/24/);
  assert.doesNotMatch(shown.text, /value="approve"/);
  assert.match(textOf(await operator.get('/')), /waits for a person 2 changes of keys to approve/);
  const [first, second] = [...(await operator.get(page)).text.matchAll(/name="request" value="(\d+)"/g)].map(
    ([, id]) => id!,
  );
  assert.equal((await admin.post(`${page}/decide`, { request: first!, decision: 'approve' })).status, 403);
  const approved = await operator.post(`${page}/decide`, { request: first!, decision: 'approve' });
  assert.equal(approved.status, 303);
  const key = (await find(fresh))!;
  assert.deepEqual([key.addedBy, key.sources], [`web:${admin.email}`, ['192.0.2.0/24']]);
  assert.equal((await find(old))!.replacedBy, fresh.public.fingerprint);
  const ids = [...(await operator.get(page)).text.matchAll(/name="request" value="(\d+)"/g)].map(([, id]) => id!);
  assert.ok(!ids.includes(first!) && second !== undefined);
  await operator.post(`${page}/decide`, { request: ids[0]!, decision: 'deny' });
  assert.equal(await find(unwanted), null);
  assert.doesNotMatch(textOf(await admin.get(page)), /wait for your operator/);

  // The operations obey, too: a token of the organization has the same rights.
  const ofOrg = { ...place, isOfOrg: true };
  const refused = { code: 'refused', message: /after an operator's yes \(setting keyChanges\)/ };
  await assert.rejects(addKeys(ofOrg, 'acme', lineOf(unwanted), {}), refused);
  await assert.rejects(
    rotateKeys(ofOrg, 'acme', lineOf(unwanted), {}, { graceMs: 0, replaces: [], managed: false }),
    refused,
  );
  await assert.rejects(addPassword(ofOrg, 'acme', {}), refused);

  const { fingerprint } = old.public;
  assert.match(
    (await admin.post(`${page}/addresses`, { fingerprint, from: '192.0.2.7' })).headers.get('location')!,
    /requested/,
  );
  // To take a key away needs no yes.
  assert.match((await admin.post(`${page}/revoke`, { fingerprint })).headers.get('location')!, /revoked/);
  for (let n = 0; n < 9; n++) await admin.post(`${page}/keys`, { key: lineOf(newKeyPair()), others: 'keep' });
  const full = await admin.post(`${page}/keys`, { key: lineOf(newKeyPair()), others: 'keep' });
  assert.equal(full.status, 422);
  assert.match(textOf(full), /10 changes of keys wait already/);
  const secret = await admin.post(`${page}/keys`, { key: newKeyPair().private, others: 'keep' });
  assert.equal(secret.status, 422);
  assert.doesNotMatch(JSON.stringify(await place.control.read('key_requests')), /PRIVATE/);
});

test('an admin adds a key with its addresses at once, changes them, and replaces the old one', async (t) => {
  const { place, person } = await openTestConsole(t);
  const admin = await person('admin', 'acme');
  const [old, fresh] = [newKeyPair(), newKeyPair()];
  const add = (pair: typeof old, others: string, from = '') =>
    admin.post(`${page}/keys`, { key: lineOf(pair), from, others });
  assert.equal((await add(old, 'keep', 'nonsense')).status, 422);
  assert.equal((await add(old, 'keep', '192.0.2.1')).status, 303);
  const { fingerprint } = old.public;
  const sources = async () => (await listLoginKeys(place.control.read, 'acme')).map((key) => key.sources);
  assert.deepEqual(await sources(), [['192.0.2.1/32']]);
  await admin.post(`${page}/addresses`, { fingerprint, from: '2001:db8::/32, 192.0.2.0/24' });
  assert.deepEqual(await sources(), [['2001:db8::/32', '192.0.2.0/24']]);
  await add(fresh, 'replace');
  assert.match(
    textOf(await admin.get(page)),
    new RegExp(`${fingerprint} was replaced and has not been used since`.replaceAll('+', '\\+')),
  );
  const viewer = await (await person('viewer', 'acme')).get(page);
  assert.doesNotMatch(viewer.text, /<textarea|Revoke/);
});

test('the page names the public host and port, and takes public PGP keys alone', async (t) => {
  const { place, person, clock } = await openTestConsole(t);
  Object.assign(place.settings, { publicHost: 'sftp.acme.example', publicPort: 22 });
  const admin = await person('admin', 'acme');
  assert.match(textOf(await admin.get(page)), /Host sftp\.acme\.example Port 22 User acme .* No key to encrypt to/);
  assert.match(textOf(await admin.get(page)), /sftp -P 22 -i id_ed25519 acme@sftp\.acme\.example/);
  const { publicKey, privateKey, fingerprint } = await generatePgpKey(
    'nistp256',
    { name: 'Payroll', email: 'p@acme.test' },
    clock.now - 86_400_000,
    0,
  );
  for (const pgp of [privateKey!, `${publicKey}${privateKey}`, 'nonsense']) {
    const { status, text } = await admin.post(`${page}/pgp`, { pgp });
    assert.equal(status, 422);
    assert.match(textOf({ text }), /Paste the public key alone/);
  }
  assert.equal((await admin.post(`${page}/pgp`, { pgp: publicKey })).status, 303);
  assert.deepEqual(
    (await listPgp(place, 'acme')).map((key) => [key.kind, key.fingerprint]),
    [['customer', fingerprint]],
  );
  assert.equal((await admin.get(`${page}/pgp.asc`)).status, 404);
});
