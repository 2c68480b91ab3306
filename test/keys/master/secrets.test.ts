/** Where the master key comes from: protected files, descriptors, credentials; and what is said when it does not come. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { armor, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { loadSettings, SettingsError } from '../../../config/load.js';
import { pathsOf } from '../../../config/paths.js';
import { loadMaster, loadOrCreateMaster } from '../../../keys/master/master.js';
import { createMasterSecrets } from '../../../keys/master/secrets.js';
import { temporaryFolder } from '../../support/temporary.js';

const passphrase = 'correct horse battery staple';

/** As `age -p`, with less work for each try. */
async function protectQuickly(text: string): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.setScryptWorkFactor(4);
  encrypter.setPassphrase(passphrase);
  return encrypter.encrypt(text);
}

async function writeProtected(t: TestContext, isArmored: boolean) {
  const folder = temporaryFolder(t);
  const identity = await generateX25519Identity();
  const sealed = await protectQuickly(`# made by age-keygen\n${identity}\n`);
  const masterKey = join(folder, 'master.age');
  writeFileSync(masterKey, isArmored ? armor.encode(sealed) : sealed);
  const masterKeyPassphrase = join(folder, 'passphrase');
  writeFileSync(masterKeyPassphrase, `${passphrase}\n`);
  return { paths: { masterKey, masterKeyPassphrase }, identity, folder };
}

test('an age file under a passphrase, binary or armored', async (t) => {
  for (const isArmored of [false, true]) {
    const { paths, identity } = await writeProtected(t, isArmored);
    assert.deepEqual(await loadMaster(paths), { identity, recipient: await identityToRecipient(identity) });
    const asked = createMasterSecrets({ masterKey: paths.masterKey }, { ask: async () => passphrase });
    assert.equal((await loadMaster(paths, asked)).identity, identity);
    await assert.rejects(loadMaster({ masterKey: paths.masterKey }), {
      code: 'locked',
      message: /masterKeyPassphraseFile/,
    });
    writeFileSync(paths.masterKeyPassphrase, 'wrong');
    await assert.rejects(loadMaster(paths), { code: 'locked', message: /not its passphrase/ });
    const whole = readFileSync(paths.masterKey);
    writeFileSync(paths.masterKeyPassphrase, passphrase);
    writeFileSync(paths.masterKey, whole.subarray(0, -20));
    await assert.rejects(loadMaster(paths), { code: 'malformed' });
  }
});

test('a key that is made where a passphrase is configured is protected by it', async (t) => {
  const folder = temporaryFolder(t);
  const masterKeyPassphrase = join(folder, 'passphrase');
  writeFileSync(masterKeyPassphrase, passphrase);
  const paths = { masterKey: join(folder, 'master.key'), masterKeyPassphrase };
  const { master, created } = await loadOrCreateMaster(paths);
  assert.equal(created, true);
  assert.match(readFileSync(paths.masterKey, 'utf8'), /^-----BEGIN AGE ENCRYPTED FILE-----\n/);
  assert.equal(statSync(paths.masterKey).mode & 0o777, 0o600);
  assert.deepEqual(await loadOrCreateMaster(paths), { master, created: false });
});

test('a descriptor is read once, and closed; what it held goes to the process that is started', async (t) => {
  const folder = temporaryFolder(t);
  const identity = await generateX25519Identity();
  const file = join(folder, 'key');
  writeFileSync(file, `${identity}\n`);
  const descriptor = openSync(file, 'r');
  const paths = { masterKey: `fd:${descriptor}` };
  const secrets = createMasterSecrets(paths);
  assert.equal(secrets.isFile, false);
  assert.equal((await loadMaster(paths, secrets)).identity, identity);
  assert.throws(() => closeSync(descriptor), { code: 'EBADF' });
  assert.equal((await loadMaster(paths, secrets)).identity, identity, 'kept, not read again');
  const known = JSON.parse(JSON.stringify(secrets.known()));
  assert.equal((await loadMaster(paths, createMasterSecrets(paths, { known }))).identity, identity);
  await assert.rejects(loadMaster({ masterKey: 'fd:987' }), { code: 'unreadable' });
});

test('a credential of systemd, found by the folder that it names', async (t) => {
  const folder = temporaryFolder(t);
  const identity = await generateX25519Identity();
  mkdirSync(join(folder, 'credentials'));
  writeFileSync(join(folder, 'credentials', 'master'), identity);
  const env = { DROPSLOT_DATA: folder, DROPSLOT_MASTER_KEY: 'credential:master' };
  const settings = loadSettings({ env: { ...env, CREDENTIALS_DIRECTORY: join(folder, 'credentials') } });
  assert.equal((await loadMaster(pathsOf(settings))).identity, identity);
  const outside = pathsOf(loadSettings({ env }));
  await assert.rejects(loadMaster(outside), { code: 'missing', message: /LoadCredential=/ });
});

test('a source that is none is refused with the settings', () => {
  for (const source of ['fd:1', 'fd:x', 'fd:', 'credential:', 'credential:../etc/passwd'])
    assert.throws(() => loadSettings({ env: { DROPSLOT_MASTER_KEY: source } }), SettingsError, source);
});

test('several identities: the first seals, all open', async (t) => {
  const masterKey = join(temporaryFolder(t), 'key');
  const identities = [await generateX25519Identity(), await generateX25519Identity()];
  writeFileSync(masterKey, `# new\n${identities[0]}\n# old\n${identities[1]}\n`);
  const recipient = await identityToRecipient(identities[0]!);
  assert.deepEqual(await loadMaster({ masterKey }), { identity: identities.join('\n'), recipient });
});

test('what age -p protects is opened', async (t) => {
  // age asks a terminal: `script` is one.
  const probe = spawnSync('sh', ['-c', 'command -v age && command -v script']);
  if (probe.status !== 0) return t.skip('the age and script commands are NOT INSTALLED: nothing was proven');
  const folder = temporaryFolder(t);
  const identity = await generateX25519Identity();
  writeFileSync(join(folder, 'plain'), `${identity}\n`);
  const masterKey = join(folder, 'master.age');
  const typed = `${passphrase}\n${passphrase}\n`;
  const made = spawnSync('script', ['-qec', `age -p -o ${masterKey} ${join(folder, 'plain')}`, '/dev/null'], {
    input: typed,
  });
  assert.equal(made.status, 0, made.stdout.toString());
  const secrets = createMasterSecrets({ masterKey }, { ask: async () => passphrase });
  assert.equal((await loadMaster({ masterKey }, secrets)).identity, identity);
});
