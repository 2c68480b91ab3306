/** Files of login keys that are broken, half written, or disagree: no key ever gets more rights from one. */
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findLoginKey, listLoginKeys } from '../../../db/control/keys.js';
import { insertOrg } from '../../../db/control/orgs.js';
import { applyFolder } from '../../../keys/folder/apply.js';
import { narrow, narrowSources, noAddress, type Terms } from '../../../keys/folder/narrow.js';
import { nameOf, type SeenKeys } from '../../../keys/folder/plan.js';
import { type FolderReading, readKeyFolder } from '../../../keys/folder/read.js';
import { allowsSource } from '../../../keys/login/addresses.js';
import { openFresh } from '../../support/databases.js';
import { type KeyPair, newKeyPair } from '../../support/keys.js';
import { sampleOrg } from '../../support/samples.js';
import { temporaryFolder } from '../../support/temporary.js';

const [one, two] = [newKeyPair(), newKeyPair()];
const lineOf = ({ public: { algorithm, publicKey } }: KeyPair, options = '') =>
  `${options}${algorithm} ${publicKey} hr\n`;
const restMs = 2000;

/** A folder whose readings are as late as the test says. */
async function layFolder(t: TestContext) {
  const { control } = await openFresh(t, 'sqlite');
  await insertOrg(control.write, sampleOrg('acme'));
  const root = join(temporaryFolder(t), 'keys.d');
  mkdirSync(join(root, 'acme'), { recursive: true });
  let seen: SeenKeys = null;
  let before: FolderReading['inodes'] = new Map();
  const path = (name: string) => join(root, 'acme', name);
  /** Reads and applies, `afterMs` after the last change of any file. Returns the applied actions and the problems. */
  const read = async (afterMs: number) => {
    const now = () => latest + afterMs;
    const reading = await readKeyFolder(root, { now, zoneOf: () => 'utc', restMs, before });
    const { actions, problems, kept } = await applyFolder(control, reading, seen, now);
    seen = new Set([
      ...[...reading.orgs].flatMap(([org, { keys }]) => keys.map(({ fingerprint }) => nameOf(org, fingerprint))),
      ...kept,
    ]);
    before = reading.inodes;
    return { actions: actions.map(({ action }) => action), problems: problems.map(({ message }) => message) };
  };
  let latest = 0;
  const write = (name: string, content: string) => {
    writeFileSync(path(name), content);
    latest = statSync(path(name)).ctimeMs;
  };
  const replace = (name: string, content: string) => {
    writeFileSync(path('.new'), content);
    renameSync(path('.new'), path(name));
    latest = statSync(path(name)).ctimeMs;
  };
  const usable = async () =>
    (await listLoginKeys(control.read, 'acme'))
      .filter(({ revokedAt }) => revokedAt === null)
      .map(({ fingerprint }) => fingerprint)
      .sort();
  const termsOf = async (pair: KeyPair) => {
    const row = await findLoginKey(control.read, 'acme', pair.public.fingerprint);
    return { sources: row?.sources, permission: row?.permission, expiresAt: row?.expiresAt };
  };
  return { write, replace, read, usable, termsOf, remove: (name: string) => unlinkSync(path(name)) };
}

const fingerprints = (...pairs: KeyPair[]) => pairs.map((pair) => pair.public.fingerprint).sort();

test('the terms of a key in several files are the narrowest, and widen when a file is removed', async (t) => {
  const { write, read, termsOf, remove } = await layFolder(t);
  write('a.pub', lineOf(one));
  write('b.pub', lineOf(one, 'from="10.0.0.0/8",expiry-time="20400101Z" '));
  write('c.pub', lineOf(one, 'from="10.1.0.0/16,192.0.2.7",permission="upload-only",expiry-time="20390101Z" '));
  assert.deepEqual((await read(restMs)).actions, ['add']);
  assert.deepEqual(await termsOf(one), {
    sources: ['10.1.0.0/16'],
    permission: 'upload',
    expiresAt: Date.UTC(2039, 0, 1),
  });
  write('c.pub', lineOf(one, 'from="192.0.2.7" '));
  await read(restMs * 5);
  assert.deepEqual((await termsOf(one)).sources, [noAddress], 'no address is allowed by both');
  remove('c.pub');
  await read(restMs * 5);
  assert.deepEqual((await termsOf(one)).sources, ['10.0.0.0/8']);
});

/** Files that restricted a key and cannot be used now. */
const breakages: Record<string, string> = {
  'a typing error in its options': lineOf(one, 'form="10.0.0.0/8" '),
  'an address that is none': lineOf(one, 'from="10.0.0.0/88" '),
  'its key cut': lineOf(one, 'from="10.0.0.0/8" ').slice(0, 60),
  'its options cut': 'from="10.0.',
  empty: '',
  'a private key': one.private,
  'a mail': `Hello,\n\n${lineOf(one, 'from="10.0.0.0/8" ')}`,
  'another kind': lineOf(one, 'cert-authority '),
};

for (const [name, content] of Object.entries(breakages))
  test(`a file that breaks widens no key that a second file has, too: ${name}`, async (t) => {
    const { write, read, termsOf, usable, remove } = await layFolder(t);
    write('a.pub', lineOf(one));
    write('b.pub', lineOf(one, 'from="10.0.0.0/8",permission="upload-only" '));
    await read(restMs);
    const narrowed = await termsOf(one);
    assert.deepEqual([narrowed.sources, narrowed.permission], [['10.0.0.0/8'], 'upload']);
    write('b.pub', content);
    for (const afterMs of [0, restMs, restMs * 5, restMs * 50]) {
      assert.deepEqual((await read(afterMs)).actions, [], `${afterMs} ms later`);
      assert.deepEqual(await termsOf(one), narrowed);
      assert.deepEqual(await usable(), fingerprints(one));
    }
    // The other file may still narrow it, and revoke nothing that the broken one may have.
    write('a.pub', lineOf(one, 'from="10.7.0.0/16" '));
    await read(restMs * 5);
    assert.deepEqual((await termsOf(one)).sources, ['10.7.0.0/16']);
    write('b.pub', lineOf(one, 'permission="upload-only" '));
    remove('a.pub');
    await read(restMs * 5);
    assert.deepEqual((await termsOf(one)).sources, [], 'mended');
  });

test('a key that a broken file has, too, is not added by another file before that is mended', async (t) => {
  const { write, read, usable, termsOf } = await layFolder(t);
  write('a.pub', lineOf(one) + lineOf(two));
  write('b.pub', lineOf(one, 'form="10.0.0.0/8" '));
  const { actions, problems } = await read(restMs);
  assert.deepEqual(actions, ['add']);
  assert.deepEqual(await usable(), fingerprints(two));
  assert.ok(problems.some((message) => /is not added yet: a file that can't be used has it, too/.test(message)));
  write('b.pub', lineOf(one, 'from="10.0.0.0/8" '));
  await read(restMs);
  assert.deepEqual((await termsOf(one)).sources, ['10.0.0.0/8']);
});

test('while a file is written no key of its organization is added or widened; a removed file revokes', async (t) => {
  const { write, read, usable, remove } = await layFolder(t);
  write('a.pub', lineOf(one));
  await read(restMs);
  write('b.pub', lineOf(two));
  assert.deepEqual((await read(restMs - 1)).actions, []);
  remove('a.pub');
  assert.deepEqual((await read(restMs - 1)).actions, ['revoke']);
  assert.deepEqual((await read(restMs)).actions, ['add']);
  assert.deepEqual(await usable(), fingerprints(two));
});

test('a file that is rewritten in place with a pause neither revokes nor adds', async (t) => {
  const { write, read, usable } = await layFolder(t);
  const whole = lineOf(one, 'from="10.0.0.0/8" ') + lineOf(two);
  write('hr.pub', whole);
  await read(restMs);
  // Empty, a cut line, a whole line, all but the last character: each as long as the writer pauses.
  for (const length of [0, 40, lineOf(one, 'from="10.0.0.0/8" ').length, whole.length - 3, whole.length])
    for (const pauseMs of [10, restMs, restMs * 4]) {
      write('hr.pub', whole.slice(0, length));
      const { actions } = await read(pauseMs);
      assert.deepEqual(
        actions.filter((action) => action !== 'change'),
        [],
        `${length} bytes, ${pauseMs} ms`,
      );
      assert.deepEqual(await usable(), fingerprints(one, two));
    }
  // A key that is really gone, and one in a file that replaces the old one.
  write('hr.pub', lineOf(one));
  assert.deepEqual((await read(restMs * 5)).actions.includes('revoke'), true);
  assert.deepEqual(await usable(), fingerprints(one));
});

test('a file that replaces another is whole: its missing keys are revoked as soon as it has rested', async (t) => {
  const { write, replace, read, usable } = await layFolder(t);
  write('hr.pub', lineOf(one) + lineOf(two));
  await read(restMs);
  replace('hr.pub', lineOf(two));
  assert.deepEqual((await read(restMs)).actions, ['revoke']);
  assert.deepEqual(await usable(), fingerprints(two));
});

test('narrowed terms allow what both allow, and nothing else', () => {
  const lists: string[][] = [
    [],
    ['10.0.0.0/8'],
    ['10.1.0.0/16', '192.0.2.0/24'],
    ['192.0.2.7/32'],
    ['2001:db8::/32'],
    ['2001:db8:1::/48', '10.1.2.0/24'],
    ['0.0.0.0/0'],
  ];
  const addresses = ['10.0.0.1', '10.1.2.3', '192.0.2.7', '192.0.2.8', '2001:db8::1', '2001:db8:1::1', '203.0.113.1'];
  for (const left of lists)
    for (const right of lists)
      for (const address of addresses)
        assert.equal(
          allowsSource(narrowSources(left, right), address),
          allowsSource(left, address) && allowsSource(right, address),
          `${left} and ${right}: ${address}`,
        );
  const wide: Terms = { sources: [], expiresAt: null };
  const cases: [Terms, Terms, Partial<Terms>][] = [
    [wide, { ...wide, expiresAt: 5 }, { expiresAt: 5 }],
    [{ ...wide, expiresAt: 9 }, { ...wide, expiresAt: 5 }, { expiresAt: 5 }],
    [{ ...wide, permission: 'read' }, wide, { permission: 'read' }],
    [{ ...wide, permission: 'read' }, { ...wide, permission: 'upload' }, { permission: 'upload' }],
    [{ ...wide, principals: null }, { ...wide, principals: null }, { principals: null }],
    [{ ...wide, principals: null }, { ...wide, principals: ['hr', 'acme'] }, { principals: ['acme'] }],
    [{ ...wide, principals: ['hr'] }, { ...wide, principals: ['it'] }, { principals: [] }],
  ];
  for (const [left, right, wanted] of cases) {
    assert.deepEqual(narrow(left, right, 'acme'), { ...wide, ...wanted });
    assert.deepEqual(narrow(right, left, 'acme'), { ...wide, ...wanted });
  }
});
