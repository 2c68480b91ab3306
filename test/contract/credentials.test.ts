/** Certificates and passwords in both databases: who may come in, and when no longer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findLoginKey, listLoginKeys } from '../../db/control/keys.js';
import { insertOrg, updateOrg } from '../../db/control/orgs.js';
import { createAuthenticator } from '../../keys/login/authenticate.js';
import { addPassword, listRevoked, revokeCertificates } from '../../operations/credentials.js';
import { rotateKeys } from '../../operations/loginkeyrotation.js';
import { addKeys, revokeKey, setKey } from '../../operations/loginkeys.js';
import { makeAuthority, makeKeyFile } from '../support/authority.js';
import { onEveryDatabase } from '../support/databases.js';
import { type KeyPair, newKeyPair } from '../support/keys.js';
import { missing } from '../support/peers.js';
import { sampleOrg } from '../support/samples.js';
import { temporaryFolder } from '../support/temporary.js';
import { workplaceOn } from '../support/workplace.js';

const lineOf = ({ public: { algorithm, publicKey } }: KeyPair) => `${algorithm} ${publicKey}\n`;
const address = '192.0.2.7';

onEveryDatabase('credentials', (open) => {
  test('certificates of an authority', { skip: missing('ssh-keygen', 'openssh-client') }, async (t) => {
    const { control, settings } = await open(t);
    const place = await workplaceOn(t, settings);
    for (const org of ['acme', 'globex']) await insertOrg(control.write, sampleOrg(org));
    const authority = makeAuthority(t);
    const line = `${authority.public.algorithm} ${authority.public.publicKey}\n`;
    await addKeys(place, 'acme', `cert-authority,principals="hr" ${line}`, {});
    await addKeys(place, 'globex', line, {}, { isAuthority: true });
    const { authenticate, review } = createAuthenticator({ control, settings, now: Date.now });
    const key = makeKeyFile(temporaryFolder(t), 'key');
    const certify = (serial: number, id: string) =>
      authority.certify(key, ['-I', id, '-n', 'hr', '-z', String(serial)]);
    const denialOf = async (wire: Buffer, org = 'acme') => {
      const outcome = await authenticate(org, wire, address);
      return 'denied' in outcome ? outcome.denied : null;
    };
    const [one, two, three] = [certify(1, 'jane'), certify(2, 'ann'), certify(3, 'bob')];
    for (const wire of [one, two, three]) assert.equal(await denialOf(wire), null);
    assert.equal(await denialOf(one, 'globex'), 'certificate for another principal');
    const login = await authenticate('acme', three, address);
    assert.ok(!('denied' in login));
    assert.deepEqual([login.fingerprint, login.credential], [key.public.fingerprint, authority.public.fingerprint]);
    await revokeCertificates(place, 'acme', { serial: '1' });
    await revokeCertificates(place, 'acme', { id: 'ann', authority: authority.public.fingerprint });
    assert.deepEqual(
      [await denialOf(one), await denialOf(two), await denialOf(three)],
      ['revoked certificate', 'revoked certificate', null],
    );
    await assert.rejects(revokeCertificates(place, 'acme', { serial: '1' }), { code: 'refused' });
    await assert.rejects(revokeCertificates(place, 'acme', { serial: '1', id: 'x' }), { code: 'usage' });
    await revokeCertificates(place, 'acme', { key: key.public.fingerprint });
    const reviewed = await review([login])(login, address);
    assert.equal('denied' in reviewed && reviewed.denied, 'revoked certificate');
    assert.equal((await listRevoked(place, 'acme')).length, 3);
    // The authority's own key is no key that logs in, and a key is no authority.
    assert.equal(await denialOf(Buffer.from(authority.public.publicKey, 'base64')), 'unknown key');
    await revokeKey(place, 'acme', authority.public.fingerprint);
    assert.equal(await denialOf(three), 'revoked key');
  });

  test('a password is as good as its terms', async (t) => {
    const { control, settings } = await open(t);
    const place = await workplaceOn(t, settings);
    for (const org of ['acme', 'globex']) await insertOrg(control.write, sampleOrg(org));
    const { authenticatePassword, offersPasswords } = createAuthenticator({ control, settings, now: Date.now });
    const answer = async (org: string, password: string, from = address) => {
      const outcome = await authenticatePassword(org, password, from);
      return 'denied' in outcome ? `${outcome.denied} ${outcome.fingerprint}` : outcome.permission;
    };
    assert.equal(await offersPasswords(), false);
    const { key, password } = await addPassword(place, 'acme', { permission: 'upload', sources: ['192.0.2.0/24'] });
    assert.match(password, /^[a-z2-9]{8}(-[a-z2-9]{8}){4}$/);
    assert.equal(await offersPasswords(), true);
    assert.equal(await answer('acme', password), 'upload');
    assert.equal(await answer('acme', password, '198.51.100.1'), `address not allowed for this key ${key.fingerprint}`);
    assert.equal(
      await answer('acme', `${password.slice(0, -1)}${password.endsWith('a') ? 'b' : 'a'}`),
      `wrong password ${key.fingerprint}`,
    );
    assert.equal(await answer('globex', password), 'wrong password password:unknown');
    assert.equal(await answer('nobody', 'hunter2'), 'wrong password password:unknown');
    // Those who try what was never generated here leave the queue to others.
    const guesses = Array.from({ length: 40 }, () => answer('acme', 'hunter2'));
    assert.equal(await answer('acme', password), 'upload');
    assert.deepEqual(new Set(await Promise.all(guesses)), new Set(['wrong password password:unknown']));
    const kept = await findLoginKey(control.read, 'acme', key.fingerprint);
    assert.match(kept?.secret ?? '', /^scrypt:15:8:1:/);
    assert.ok(!JSON.stringify(await control.read('audit')).includes(password.slice(9)));
    await updateOrg(control.write, 'acme', { enabled: false });
    assert.equal(await answer('acme', password), `disabled organization ${key.fingerprint}`);
    await revokeKey(place, 'acme', key.fingerprint);
    assert.equal(await offersPasswords(), false);
  });

  test('rotation: the new key is there at once, the old ones end, and what they may do goes over', async (t) => {
    const { control, settings } = await open(t);
    const place = await workplaceOn(t, settings);
    for (const org of ['acme', 'globex']) await insertOrg(control.write, sampleOrg(org));
    const [one, two, three] = [newKeyPair(), newKeyPair(), newKeyPair()];
    const terms = { permission: 'upload', sources: ['192.0.2.0/24'] } as const;
    const options = { graceMs: 7 * 86_400_000, replaces: [], managed: false };
    await assert.rejects(rotateKeys(place, 'acme', lineOf(one), {}, options), { code: 'refused' });
    await addKeys(place, 'acme', lineOf(one), { ...terms, sources: [...terms.sources], label: 'HR' });
    const before = Date.now();
    const { added, replaced } = await rotateKeys(place, 'acme', lineOf(two), {}, options);
    assert.deepEqual(
      added.map(({ permission, sources, label }) => ({ permission, sources, label })),
      [{ ...terms, label: 'HR' }],
    );
    const end = replaced[0]!.expiresAt!;
    assert.ok(end >= before + options.graceMs && end <= Date.now() + options.graceMs);
    // Said again it can shorten the time that is left, and does not lengthen it.
    await rotateKeys(place, 'acme', lineOf(two), {}, { ...options, graceMs: 2 * options.graceMs });
    assert.equal((await findLoginKey(control.read, 'acme', one.public.fingerprint))?.expiresAt, end);
    await rotateKeys(place, 'acme', lineOf(two), {}, { ...options, graceMs: 0, replaces: [one.public.fingerprint] });
    const { authenticate } = createAuthenticator({ control, settings, now: Date.now });
    const outcome = await authenticate('acme', Buffer.from(one.public.publicKey, 'base64'), address);
    assert.equal('denied' in outcome && outcome.denied, 'expired key');
    // Keys that differ leave the choice to a person.
    await addKeys(place, 'globex', lineOf(one), {});
    const [shared] = await addKeys(place, 'globex', lineOf(two), { sources: ['10.0.0.0/8'] });
    assert.deepEqual(shared?.alsoUsedBy, ['acme']);
    await assert.rejects(rotateKeys(place, 'globex', lineOf(three), {}, options), { code: 'usage', message: /--from/ });
    const chosen = { ...options, replaces: [one.public.fingerprint] };
    const { kept } = await rotateKeys(place, 'globex', lineOf(three), {}, chosen);
    assert.deepEqual(
      kept.map((key) => key.fingerprint),
      [two.public.fingerprint],
    );
    const taken = await setKey(place, 'globex', one.public.fingerprint, { expiresAt: null });
    assert.deepEqual([taken.expiresAt, taken.replacedBy], [null, null]);
    await setKey(place, 'globex', three.public.fingerprint, { note: 'asked for by Jane', permission: 'upload' });
    const set = (await listLoginKeys(control.read, 'globex')).at(-1);
    assert.deepEqual([set?.note, set?.permission], ['asked for by Jane', 'upload']);
    // A key that was revoked, perhaps because it was stolen, does not come back by the way.
    await revokeKey(place, 'globex', two.public.fingerprint);
    await assert.rejects(rotateKeys(place, 'globex', lineOf(two), { permission: 'read', sources: [] }, options), {
      code: 'refused',
      message: /was revoked/,
    });
  });
});
