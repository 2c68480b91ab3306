/** The file of `dropslot apply`: applied once, repeated without an effect, exported and applied again, and refused with the place of a mistake. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { stringify } from 'yaml';
import { listLoginKeys } from '../../db/control/keys.js';
import { setProvider, showProvider } from '../../operations/accounts/orgprovider.js';
import { OperationError } from '../../operations/error.js';
import { addOrganization } from '../../operations/orgs.js';
import { readSetup } from '../../operations/setup/document.js';
import { exportSetup } from '../../operations/setup/export.js';
import { applyChanges, compareSetup } from '../../operations/setup/setup.js';
import type { Workplace } from '../../operations/workplace.js';
import { openFresh } from '../support/databases.js';
import { newKeyPair } from '../support/keys.js';
import { workplaceOn } from '../support/workplace.js';

async function openPlace(t: TestContext): Promise<Workplace> {
  const { settings } = await openFresh(t, 'sqlite');
  return workplaceOn(t, settings);
}

async function apply(place: Workplace, file: unknown, prune = false): Promise<string[]> {
  const { changes } = await compareSetup(place, readSetup(typeof file === 'string' ? file : stringify(file)), prune);
  await applyChanges(changes);
  return changes.map(({ org, sign, text }) => `${org ?? '*'} ${sign} ${text}`);
}

function newKey(): string {
  const { algorithm, publicKey } = newKeyPair().public;
  return `${algorithm} ${publicKey} hr@acme`;
}

function describeAcme() {
  return {
    version: 1,
    organizations: {
      acme: {
        enabled: true,
        settings: {
          owner: 'jane@acme.test',
          name: 'Acme Corp',
          slot: '04:30',
          'time-zone': 'Europe/Berlin',
          expectFiles: ['users', 'teams'],
          earlyCheck: false,
          aliases: { 'Work Email': 'User Email', Boss: 'Manager Email' },
          maxStoredBytes: '20GiB',
        } as Record<string, unknown>,
        keys: [
          { key: newKey(), label: 'Workday', from: '203.0.113.0/24', expires: '2999-12-31', permission: 'upload-only' },
          { key: newKey() },
        ] as Record<string, unknown>[],
        provider: {
          issuer: 'https://login.acme.test',
          clientId: 'dropslot',
          domains: ['acme.test', 'acme.example'],
          newAccounts: 'viewer',
          passwordSignIn: false,
        } as Record<string, unknown> | null,
      },
    },
    webhooks: [{ url: 'https://hr.example/hooks', org: 'acme', types: ['run.*', 'user.*'] }] as Record<
      string,
      unknown
    >[],
    hooks: [{ run: '/bin/sh', args: ['-c', 'true'], types: 'backup.*' }] as Record<string, unknown>[],
  };
}

test('adds all that a file names, and nothing the second time; an export of it changes nothing, here or elsewhere', async (t) => {
  const place = await openPlace(t);
  const file = describeAcme();
  const changes = await apply(place, file);
  assert.equal(changes.length, 7, changes.join('\n'));
  assert.ok(changes.includes('* + hook /bin/sh -c true'));
  assert.deepEqual(await apply(place, file, true), []);
  const org = await place.org('acme');
  assert.deepEqual(
    [org.enabled, org.slot, org.timeZone, org.options.earlyCheck, org.options.aliases, org.limits.maxStoredBytes],
    [true, '04:30', 'Europe/Berlin', false, { 'Work Email': 'User Email', Boss: 'Manager Email' }, 20 * 1024 ** 3],
  );
  const exported = await exportSetup(place);
  assert.ok(!exported.includes('whsec_'));
  assert.deepEqual(await apply(place, exported, true), []);
  const other = await openPlace(t);
  await apply(other, exported);
  assert.equal(await exportSetup(other), exported);
});

test('changes no more than what differs; only --prune removes, and never an organization', async (t) => {
  const place = await openPlace(t);
  const file = describeAcme();
  await apply(place, file);
  await addOrganization(place, 'beta', { ownerEmail: 'ann@beta.test' }, false);
  const { settings, keys } = file.organizations.acme;
  settings.slot = '05:00';
  delete settings.expectFiles;
  keys[0]!.label = 'Workday 2';
  keys[0]!.from = null;
  const [dropped] = keys.splice(1, 1);
  file.webhooks[0]!.types = 'run.*';
  file.hooks.pop();
  assert.deepEqual(
    (await apply(place, file)).map((line) => line.replace(/SHA256:\S+/, 'F')),
    [
      'acme ~ slot: 04:30 → 05:00',
      'acme ~ key F "Workday": label, sources',
      'acme ~ webhook https://hr.example/hooks: types',
    ],
  );
  assert.ok(dropped);
  const { unnamed } = await compareSetup(place, readSetup(stringify(file)), true);
  assert.deepEqual(unnamed, ['beta']);
  assert.deepEqual(
    (await apply(place, file, true)).map((line) => line.replace(/SHA256:\S+/, 'F')),
    ['acme - expectFiles: teams,users → default', 'acme - key F "hr@acme": revoked', '* - hook /bin/sh -c true'],
  );
  const live = (await listLoginKeys(place.control.read, 'acme')).filter(({ revokedAt }) => revokedAt === null);
  assert.deepEqual(
    live.map(({ label, sources }) => [label, sources]),
    [['Workday 2', []]],
  );
  assert.equal((await place.org('beta')).id, 'beta');
});

test('a provider keeps its secret, and the options that the file does not name; null removes it', async (t) => {
  const place = await openPlace(t);
  await apply(place, describeAcme());
  await setProvider(place, 'acme', { secret: 'hush', label: 'ACME Login' });
  const described = { issuer: 'https://login.acme.test', clientId: 'dropslot', newAccounts: 'admin' };
  const file = { version: 1, organizations: { acme: { provider: described as object | null } } };
  assert.deepEqual(await apply(place, file), ['acme ~ provider https://login.acme.test: newAccounts']);
  const changed = await showProvider(place, 'acme');
  assert.deepEqual([changed.label, changed.newAccounts, changed.hasSecret], ['ACME Login', 'admin', true]);
  assert.ok(!(await exportSetup(place)).includes('hush'));
  const pruned = { ...file, organizations: { acme: { provider: { ...described, domains: 'acme.test' } } } };
  assert.match((await apply(place, pruned, true)).join(), /provider https:\/\/login\.acme\.test: .*label/);
  assert.equal((await showProvider(place, 'acme')).label, 'single sign-on');
  file.organizations.acme.provider = null;
  assert.match((await apply(place, file)).join(), /acme - provider https:\/\/login\.acme\.test/);
  assert.deepEqual(await apply(place, file), []);
  await assert.rejects(showProvider(place, 'acme'), { code: 'not_found' });
});

test('a change that fails keeps those before it, with the secrets that are shown once', async (t) => {
  const place = await openPlace(t);
  await apply(place, describeAcme()); // which makes the master key
  const webhook = (path: string) => ({ url: `https://hr.example/${path}` });
  const file = { version: 1, organizations: {}, webhooks: [webhook('one'), webhook('two'), webhook('three')] };
  const compare = async () => (await compareSetup(place, readSetup(stringify(file)), false)).changes;
  const changes = await compare();
  const [, second] = changes;
  changes[1] = { ...second!, act: () => Promise.reject(new OperationError('unavailable', 'the database is away')) };
  const { made, notes, failure } = await applyChanges(changes);
  assert.equal(made, 1);
  assert.match(notes.join(), /whsec_/);
  assert.equal(failure?.code, 'unavailable');
  assert.match(failure.message, /^the database is away \(1 of 3 changes were made; apply the file again/);
  assert.equal((await applyChanges(await compare())).made, 2);
  await assert.rejects(applyChanges([changes[1]]), { message: 'the database is away' });
});

test('a mistake anywhere changes nothing, and is told with its place', async (t) => {
  const place = await openPlace(t);
  await addOrganization(place, 'acme', { ownerEmail: 'jane@acme.test' }, false);
  const acme = (member: unknown) => ({ version: 1, organizations: { acme: member } });
  const cases: [file: unknown, message: RegExp][] = [
    ['a: [', /this is no valid YAML: .* at line 1/],
    ['version: 1\nversion: 1', /no valid YAML: Map keys must be unique/],
    [{ version: 2 }, /must begin with "version: 1"/],
    [{ version: 1, organisations: {} }, /the file has an unknown member "organisations"; did you mean organizations\?/],
    [acme([]), /organizations\.acme must have members/],
    [acme({ enabled: 'maybe' }), /organizations\.acme\.enabled must be true or false/],
    [acme({ settings: { slott: '1' } }), /organizations\.acme\.settings: unknown setting "slott"; did you mean slot\?/],
    [acme({ settings: { slot: '25:00' } }), /organizations\.acme\.settings: slot must be a time of day/],
    [
      acme({ provider: { issuer: 'x', clientId: 'y' } }),
      /organizations\.acme\.provider: "x" is not the https:\/\/ URL/,
    ],
    [
      acme({ provider: { isuer: 'x' } }),
      /organizations\.acme\.provider has an unknown member "isuer"; did you mean issuer/,
    ],
    [acme({ provider: { clientSecret: 'x' } }), /has an unknown member "clientSecret"/],
    [acme({ keys: {} }), /organizations\.acme\.keys must be a list/],
    [acme({ keys: [{ label: 'x' }] }), /organizations\.acme\.keys\[1\]\.key is missing/],
    [acme({ keys: [{ key: 'nonsense' }] }), /organizations\.acme\.keys\[1\]: line 1: this is no public key/],
    [acme({ keys: [{ key: newKey(), expires: '2020-01-01' }] }), /keys\[1\]\.expires is in the past/],
    [{ version: 1, organizations: { gamma: {} } }, /organizations\.gamma\.settings\.owner is missing/],
    [{ version: 1, webhooks: [{ url: 'http://x.example' }] }, /webhooks\[1\]: the URL must begin with https/],
    [{ version: 1, hooks: [{ run: 'true' }] }, /hooks\[1\]: --run needs an absolute path/],
  ];
  for (const [file, message] of cases) {
    const start = { version: 1, organizations: { acme: { settings: { slot: '09:00' } } } };
    const whole = typeof file === 'string' ? file : { ...start, ...(file as object) };
    await assert.rejects(apply(place, whole), message);
    assert.equal((await place.org('acme')).slot, '02:00');
  }
});

test('a bomb of aliases is refused', () => {
  const levels = Array.from({ length: 12 }, (_, n) => `  l${n + 1}: &l${n + 1} [${`*l${n},`.repeat(9)}]`);
  const bomb = `version: 1\norganizations:\n  l0: &l0 [x]\n${levels.join('\n')}\n`;
  assert.throws(() => readSetup(bomb), /no valid YAML: Excessive alias count/);
});
