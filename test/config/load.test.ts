/** Settings from their sources: units, and errors that name the setting, its source and the values it takes. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadSettings, variableOf } from '../../config/load.js';
import type { Settings } from '../../config/settings.js';
import { temporaryFolder } from '../support/temporary.js';

const load = (values: Partial<Record<keyof Settings, string>>) =>
  loadSettings({ env: Object.fromEntries(Object.entries(values).map(([name, value]) => [variableOf(name), value])) });

test('sizes and durations have units in the file, in variables and on the command line; plain numbers keep their meaning', (t) => {
  const file = join(temporaryFolder(t), 'settings.json');
  writeFileSync(
    file,
    JSON.stringify({ maxFileBytes: '20GB', idleMinutes: '2h', keepArchiveDays: 9, rekeyMinutes: 0.5 }),
  );
  const settings = loadSettings({
    file,
    env: { DROPSLOT_KEEP_PARTIAL_HOURS: '7d', DROPSLOT_LOGIN_SECONDS: '45', DROPSLOT_MAX_CELL_BYTES: '1e6' },
    overrides: { minFreeBytes: '1GiB', leaseSeconds: '2m' },
  });
  const { maxFileBytes, idleMinutes, keepArchiveDays, rekeyMinutes, keepPartialHours, loginSeconds } = settings;
  assert.deepEqual(
    [maxFileBytes, idleMinutes, keepArchiveDays, rekeyMinutes, keepPartialHours, loginSeconds],
    [20e9, 120, 9, 0.5, 168, 45],
  );
  assert.deepEqual([settings.maxCellBytes, settings.minFreeBytes, settings.leaseSeconds], [1e6, 1024 ** 3, 120]);
  assert.equal(load({ rekeyMinutes: '90s' }).rekeyMinutes, 1.5);
  assert.equal(load({ maxFaultShare: '25%' }).maxFaultShare, 0.25);
});

test('PostgreSQL is not sealed, and the setting that would promise it is refused', () => {
  const given = { sealDirectory: 'on', database: 'postgres://db/x' };
  assert.throws(() => load(given), /^SettingsError: sealDirectory \(DROPSLOT_SEAL_DIRECTORY\): .* encrypt the volume/);
  assert.equal(load({ ...given, sealDirectory: 'volume' }).sealDirectory, 'volume');
});

const wrong: [Partial<Record<keyof Settings, string>>, RegExp][] = [
  [
    { idleMinutes: '90s' },
    /^setting idleMinutes must be whole minutes, .*such as 30m, 24h or 7d; 1m or more, at most 24d \(DROPSLOT_IDLE_MINUTES\)$/,
  ],
  [{ idleMinutes: '25d' }, /at most 24d/],
  [{ rekeyMinutes: '0' }, /setting rekeyMinutes must be minutes, .*more than 0/],
  [{ keepArchiveDays: '' }, /setting keepArchiveDays must be whole days, .*0 or more/],
  [
    { maxFileBytes: '4XB' },
    /^setting maxFileBytes must be a size: a number of bytes, plain or with a unit such as 500KB, 20GB/,
  ],
  [{ rekeyBytes: '5KB' }, /setting rekeyBytes must be .*1MiB or more/],
  [{ maxNameBytes: '256' }, /1 byte to 255 bytes/],
  [{ maxFiles: '1.5' }, /^setting maxFiles must be a whole number of 1 or more \(DROPSLOT_MAX_FILES\)$/],
  [{ policy: 'old' }, /^setting policy must be modern or compatible \(DROPSLOT_POLICY\)$/],
  [{ proxies: '10.0.0.1,10.0.0.300' }, /setting proxies must be addresses or address ranges/],
  [{ maxFaultShare: '2' }, /setting maxFaultShare must be a share, such as 0\.5 or 50%/],
];
for (const [values, message] of wrong)
  test(`refused: ${JSON.stringify(values)}`, () =>
    assert.throws(() => load(values), { name: 'SettingsError', message }));

test('an error names the source of the value, and does not quote it: it may be a password', (t) => {
  const file = join(temporaryFolder(t), 'settings.json');
  writeFileSync(file, JSON.stringify({ database: 'mysql://dropslot:secret@db', idleMinuts: 5 }));
  assert.throws(
    () => loadSettings({ file, env: {}, overrides: { port: 'ssh' } }),
    ({ message }: Error) => {
      assert.ok(!message.includes('secret'));
      assert.ok(
        message.includes(
          `setting database must be sqlite, a URL that begins with postgres://, or the source of one: file:PATH, fd:N (N from 3) or credential:NAME (settings file ${file})`,
        ),
      );
      assert.ok(message.includes('setting port must be a whole number from 0 to 65535 (command line)'));
      assert.ok(message.includes(`unknown setting idleMinuts (settings file ${file}); did you mean idleMinutes?`));
      return true;
    },
  );
});

test('oidc is an object, in a variable JSON; each mistake names the member; passwordSignIn=off needs it', () => {
  const right = { issuer: 'https://login.operator.test/tenant', clientId: 'dropslot' };
  assert.equal(load({ oidc: JSON.stringify(right) }).oidc!.scopes, 'openid email');
  const wrong: [unknown, RegExp][] = [
    ['yes', /oidc must be an object with issuer and clientId/],
    [{}, /must have issuer: the https.* URL.*must have clientId/],
    [{ ...right, issuer: 'http://login.operator.test' }, /must have issuer: a URL that begins with https/],
    [{ ...right, issuer: 'https://login.operator.test/?x=1' }, /must have issuer/],
    [{ ...right, isuer: 'x' }, /oidc has the unknown member isuer/],
    [{ ...right, scopes: 'email' }, /must have scopes: .*openid/],
    [{ ...right, clientSecretFile: 'fd:3' }, /must have clientSecretFile: the path of a file/],
    [{ ...right, domains: 'operator.test' }, /must have domains: a list/],
    [{ ...right, newAccounts: 'owner', domains: ['operator.test'] }, /must have newAccounts: read-only or auditor/],
    [{ ...right, newAccounts: 'auditor' }, /must have domains: with newAccounts/],
  ];
  for (const [value, message] of wrong)
    assert.throws(() => load({ oidc: typeof value === 'string' ? value : JSON.stringify(value) }), message);
  assert.throws(
    () => load({ passwordSignIn: 'off' }),
    /passwordSignIn \(DROPSLOT_PASSWORD_SIGN_IN\): it needs the setting oidc/,
  );
  assert.equal(load({ passwordSignIn: 'off', oidc: JSON.stringify(right) }).passwordSignIn, 'off');
});

test('backups on an SFTP server need its host key and a key; a URL has no password', () => {
  const [backupTo, backupKey, backupHostKey] = ['sftp://b@nas:2022/d', '/k', `SHA256:${'A'.repeat(43)}`];
  assert.equal(load({ backupTo, backupKey, backupHostKey }).backupTo, backupTo);
  assert.throws(
    () => load({ backupTo, backupKey }),
    /backupTo \(DROPSLOT_BACKUP_TO\) is an SFTP server: set backupHostKey too/,
  );
  assert.throws(() => load({ backupTo, backupHostKey }), /set backupKey too/);
  for (const wrong of ['sftp://b:p@nas/d', 'sftp://nas/d', 'ftp://b@nas/d', 'backups', 'sftp://b@nas/d?x'])
    assert.throws(
      () => load({ backupTo: wrong, backupKey, backupHostKey }),
      /setting backupTo must be an absolute path, or/,
    );
});
