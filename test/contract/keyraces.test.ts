/** Changes of login keys that meet: a denied key stays out, and one that was ended is not given more time. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { findLoginKey } from '../../db/control/keys.js';
import { changeKeys, decideChange, type KeyChange, listWaitingChanges } from '../../operations/keyrequests.js';
import { rotateKeys } from '../../operations/loginkeyrotation.js';
import { addKeys, revokeKey, setKey } from '../../operations/loginkeys.js';
import { addOrganization, setOrganization } from '../../operations/orgs.js';
import { readAssignments } from '../../operations/orgsettings/orgsettings.js';
import type { Workplace } from '../../operations/workplace.js';
import { onBothDatabases } from '../support/databases.js';
import { beforeTransaction, meet } from '../support/interleave.js';
import { newKeyPair } from '../support/keys.js';
import { workplaceOn } from '../support/workplace.js';

const lineOf = ({ public: { algorithm, publicKey } }: ReturnType<typeof newKeyPair>) => `${algorithm} ${publicKey}\n`;
const day = 86_400_000;

onBothDatabases('login keys that change at once', (open) => {
  const openOrg = async (t: TestContext) => {
    const { settings } = await open(t);
    const place = { ...(await workplaceOn(t, settings)), now: () => Date.UTC(2026, 2, 10) };
    await addOrganization(place, 'acme', { ownerEmail: 'owner@acme.test' }, true);
    const old = newKeyPair();
    await addKeys(place, 'acme', lineOf(old), {});
    const find = ({ public: { fingerprint } }: typeof old) => findLoginKey(place.control.read, 'acme', fingerprint);
    return { place, old, find };
  };

  /** A change that waits for an operator; its number. */
  const request = async (place: Workplace, change: KeyChange) => {
    await setOrganization(place, 'acme', readAssignments(['keyChanges=operator']));
    const ofOrg = { ...place, isOfOrg: true, actor: 'web:hr@acme.test' };
    assert.equal(await changeKeys(ofOrg, 'acme', change), 'requested');
    return (await listWaitingChanges(place, 'acme'))[0]!.id;
  };

  const actionsOf = (place: Workplace) =>
    place.control
      .read('audit')
      .whereIn('action', ['key.request_approved', 'key.request_denied'])
      .orderBy('id')
      .pluck('action');

  for (const kind of ['add', 'replace', 'addresses'] as const)
    test(`a change of the kind "${kind}" that one operator denies while another one approves it is not made`, async (t) => {
      const { place, old, find } = await openOrg(t);
      const fresh = newKeyPair();
      const ofOld = { key: old.public.fingerprint, sources: ['192.0.2.0/24'] };
      const id = await request(place, { kind, key: lineOf(fresh), ...(kind === 'addresses' && ofOld) });
      const before = await find(old);
      const late = {
        ...place,
        control: beforeTransaction(place.control, () => decideChange(place, 'acme', id, false)),
      };
      await assert.rejects(decideChange(late, 'acme', id, true), {
        code: 'refused',
        message: 'this change of keys was decided meanwhile: look at the keys again',
      });
      assert.deepEqual([await find(fresh), await find(old)], [null, before]);
      assert.deepEqual(await actionsOf(place), ['key.request_denied']);
    });

  test('a request stays when its change fails, and of two approvals one is made', async (t) => {
    const { place, find } = await openOrg(t);
    const fresh = newKeyPair();
    const id = await request(place, { kind: 'add', key: lineOf(fresh) });
    const approve = (at: Workplace) => decideChange(at, 'acme', id, true);
    const [one, two] = await meet(place, approve, () => approve(place));
    assert.deepEqual([one.status, two.status], ['fulfilled', 'rejected']);
    assert.equal((await find(fresh))!.addedBy, 'web:hr@acme.test');
    assert.deepEqual(await actionsOf(place), ['key.request_approved']);

    const again = await request(place, { kind: 'add', key: lineOf(fresh) });
    await assert.rejects(decideChange(place, 'acme', again, true), { code: 'duplicate' });
    assert.equal((await listWaitingChanges(place, 'acme'))[0]?.id, again);
    assert.deepEqual(await actionsOf(place), ['key.request_approved']);
  });

  test('a rotation shortens the time of a key that another command has shortened meanwhile, and never lengthens it', async (t) => {
    const { place, old, find } = await openOrg(t);
    const { fingerprint } = old.public;
    const rotate = (at: Workplace, graceMs: number) =>
      rotateKeys(at, 'acme', lineOf(newKeyPair()), {}, { graceMs, replaces: [fingerprint], managed: false });
    const expiresAt = place.now() + day;
    const late = {
      ...place,
      control: beforeTransaction(place.control, () => setKey(place, 'acme', fingerprint, { expiresAt })),
    };
    await rotate(late, 7 * day);
    assert.equal((await find(old))!.expiresAt, expiresAt);

    const [one, two] = await meet(
      place,
      (held) => rotate(held, 0),
      () => rotate(place, 7 * day),
    );
    assert.equal(one.status, 'fulfilled');
    assert.ok(two.status === 'rejected');
    assert.match(two.reason.message, /was ended meanwhile: look at the keys of acme again, and repeat the change/);
    assert.equal((await find(old))!.expiresAt, place.now());

    await setKey(place, 'acme', fingerprint, { expiresAt: null });
    const revoked = {
      ...place,
      control: beforeTransaction(place.control, () => revokeKey(place, 'acme', fingerprint)),
    };
    await assert.rejects(rotate(revoked, day), /was ended meanwhile/);
  });
});
