/** The PGP keys of an organization: several at once, their ends, their seals, the published key, and the doctor's warnings. */
import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import { retiredName } from '../../db/control/heldreports.js';
import { listPgpKeys } from '../../db/control/pgpkeys.js';
import { updateTemplates } from '../../importer/schedule/templatefolder.js';
import { openText } from '../../keys/master/sealedtext.js';
import { generatePgpKey } from '../../keys/pgp/pgpkey.js';
import { destroyIdentity } from '../../operations/identity.js';
import { rotateIdentity } from '../../operations/identityrotation.js';
import { setOrganization } from '../../operations/orgs.js';
import {
  exportPublicPgpKey,
  generateOwnPgpKey,
  importPgpKey,
  listPgp,
  revokePgpKey,
  rotatePgpKey,
} from '../../operations/pgp.js';
import { Company } from '../support/company.js';
import { onBothDatabases } from '../support/databases.js';
import { changedBefore, examine, workplaceOn } from '../support/workplace.js';

const dayMs = 86_400_000;
let customer: { publicKey: string; fingerprint: string };

before(async () => {
  customer = await generatePgpKey('nistp256', { name: 'Payroll', email: 'p@acme.test' }, Date.now() - dayMs, 0);
});

test('the reports of a held run keep their ending when it is over', () => {
  assert.equal(retiredName('users.held.csv.pgp', 'was-held', 'report'), 'users.report.csv.pgp');
  assert.equal(retiredName('run-7.changes.csv.pgp', 'was-held', undefined), 'run-7.was-held.changes.csv.pgp');
  assert.equal(retiredName('run-7.held.txt.pgp', 'superseded', undefined), 'run-7.superseded.txt.pgp');
});

onBothDatabases('pgp', (open) => {
  async function openPlace(t: TestContext) {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    return { acme, place };
  }
  const curve = { type: 'curve25519', expiresAt: Date.now() + 400 * dayMs } as const;

  test('several keys, a rotation, a revocation; private keys follow the identity that seals them', async (t) => {
    const { acme, place } = await openPlace(t);
    const first = await generateOwnPgpKey(place, 'acme', curve);
    const { made, ending } = await rotatePgpKey(place, 'acme', { ...curve, overlapMs: 30 * dayMs });
    assert.deepEqual(
      ending.map(({ fingerprint }) => fingerprint),
      [first.fingerprint],
    );
    assert.ok(ending[0]!.expiresAt! <= place.now() + 30 * dayMs);
    assert.equal((await exportPublicPgpKey(place, 'acme', undefined)).fingerprint, made.fingerprint);

    await rotateIdentity(place, 'acme', { waitMs: 0 });
    const org = await place.org('acme');
    for (const { sealedPrivateKey } of await listPgpKeys(place.control.read, 'acme', 'own'))
      assert.match(await openText((await place.identity(org)).split('\n')[0]!, sealedPrivateKey!), /BEGIN PGP PRIVATE/);

    const read = () => acme.read('/templates/pgp-public-key.asc');
    await updateTemplates(acme.deps, new Map());
    assert.equal(await read(), (await exportPublicPgpKey(place, 'acme', undefined)).publicKey);
    await revokePgpKey(place, 'acme', made.fingerprint);
    await revokePgpKey(place, 'acme', first.keyIds[0]!);
    await assert.rejects(exportPublicPgpKey(place, 'acme', undefined), /dropslot pgp generate acme/);
    await updateTemplates(acme.deps, new Map());
    assert.match(await read(), /^This drop has no PGP key/);

    await destroyIdentity(place, 'acme');
    assert.deepEqual(await listPgp(place, 'acme'), []);
    await assert.rejects(generateOwnPgpKey(place, 'acme', curve), /identity of acme was destroyed/);
  });

  test('a key that is revoked first does not become that of the reports', async (t) => {
    const { place } = await openPlace(t);
    const { fingerprint } = await importPgpKey(place, 'acme', Buffer.from(customer.publicKey), null);
    const late = changedBefore(place, 'control', () => revokePgpKey(place, 'acme', fingerprint));
    const change = { options: { reportsTo: fingerprint } };
    await assert.rejects(setOrganization(late, 'acme', change), /acme has no active public key/);
    assert.equal((await place.org('acme')).options.reportsTo, undefined);
  });

  test('settings take keys that exist, and a key of the reports is not revoked; the doctor sees ends', async (t) => {
    const { place } = await openPlace(t);
    const options = { reportsTo: customer.fingerprint, requireSignature: [customer.fingerprint] };
    await assert.rejects(
      setOrganization(place, 'acme', { options }),
      /first add it with "dropslot pgp import acme FILE"/,
    );
    await importPgpKey(place, 'acme', Buffer.from(customer.publicKey), null);
    await setOrganization(place, 'acme', { options });
    await assert.rejects(revokePgpKey(place, 'acme', customer.fingerprint), /first choose another one/);
    const soon = await generateOwnPgpKey(place, 'acme', { type: 'curve25519', expiresAt: place.now() + 5 * dayMs });
    const warnings = async () =>
      (await examine(place.settings)).filter(({ message }) => /PGP/.test(message)).map(({ message }) => message);
    assert.match((await warnings()).join(), new RegExp(`^its PGP key ${soon.fingerprint} expires at`));
    await setOrganization(place, 'acme', { options: { reportsTo: null } });
    await revokePgpKey(place, 'acme', customer.fingerprint);
    await revokePgpKey(place, 'acme', soon.fingerprint);
    assert.match(
      (await warnings()).join(),
      /no PGP key that can be used.*all PGP keys of its setting requireSignature/,
    );
  });
});
