/** An operator at the shell: organizations and keys from first to last, and what scripts may rely on. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { askDropslot, runDropslot } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

interface OrgJson {
  id: string;
  owner: string;
  enabled: boolean;
  slot: string;
  timeZone: string;
  slotsFrom: string;
  users: { active: number; admins: number };
}

interface KeyJson {
  fingerprint: string;
  label: string;
  state: string;
  sources: string[];
  expiresAt: string | null;
}

/** Runs commands on one data folder; `run` gives whatever comes, `ask` the JSON of a success. */
function atShell(t: TestContext) {
  const data = join(temporaryFolder(t), 'data');
  const run = (...args: string[]) => runDropslot(args, { data });
  const ask = <Answer>(...args: string[]) => askDropslot<Answer>(args, { data });
  return { data, run, ask };
}

/** Path of a new ed25519 public key. */
function makeKey(t: TestContext): string {
  const file = join(temporaryFolder(t), 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'workday', '-f', file]);
  return `${file}.pub`;
}

test('an organization from its beginning to its end', async (t) => {
  const { data, run, ask } = atShell(t);
  const added = await run('orgs', 'add', 'acme', '--owner', 'Jane@acme.test', '--slot', '03:15');
  assert.equal(added.code, 0, added.stderr);
  assert.match(
    added.stdout,
    /^Added acme\.\nIt is disabled .*dropslot orgs request-sftp acme .*dropslot orgs enable acme\n/,
  );
  assert.match(added.stderr, /master\.key/);
  assert.equal(statSync(join(data, 'keys', 'master.key')).mode & 0o777, 0o600);
  assert.equal(statSync(join(data, 'control.db')).mode & 0o777, 0o600);

  const org = await ask<OrgJson>('orgs', 'show', 'acme');
  assert.deepEqual([org.owner, org.enabled, org.slot, org.timeZone], ['Jane@acme.test', false, '03:15', 'UTC']);
  assert.deepEqual(org.users, { active: 1, deactivated: 0, admins: 1 });

  const again = await run('orgs', 'add', 'acme', '--owner', 'other@acme.test');
  assert.equal(again.code, 4);
  assert.equal(again.stderr, 'dropslot: organization acme exists already\n');

  const moved = await ask<OrgJson>('orgs', 'set', 'acme', 'slot=04:00', 'time-zone=Europe/Berlin');
  assert.deepEqual([moved.slot, moved.timeZone], ['04:00', 'Europe/Berlin']);
  assert.ok(moved.slotsFrom > org.slotsFrom, 'no past slot is caught up');

  const early = await run('orgs', 'enable', 'acme');
  assert.equal(early.code, 4);
  assert.match(early.stderr, /no admin of acme has requested .*orgs request-sftp acme/);
  assert.equal((await run('orgs', 'request-sftp', 'acme', '--by', 'jane@acme.test')).code, 0);
  assert.equal((await run('orgs', 'enable', 'acme')).stdout, 'acme is enabled.\n');
  assert.equal((await ask<OrgJson[]>('orgs', 'list'))[0]!.enabled, true);
  assert.equal((await run('orgs', 'disable', 'acme')).stdout, 'acme is disabled.\n');

  const asked = await run('orgs', 'remove', 'acme');
  assert.equal(asked.code, 4);
  assert.match(asked.stderr, /--yes/);
  const removed = await run('orgs', 'remove', 'acme', '--yes');
  assert.equal(removed.code, 0, removed.stderr);
  assert.match(removed.stdout, /^Removed acme: 0 stored files .*1 users/);
  assert.equal((await run('orgs', 'show', 'acme')).code, 3);
  assert.deepEqual(await ask('orgs', 'list'), []);
});

test('the owner may change to a user who is not there yet, if that is what was meant', async (t) => {
  const { run, ask } = atShell(t);
  await run('orgs', 'add', 'acme', '--owner', 'jane@acme.test');
  const mistyped = await run('orgs', 'set', 'acme', 'owner=bob@acme.test', 'name=Acme Corp');
  assert.deepEqual([mistyped.code, /no user of acme has.*--create-owner/.test(mistyped.stderr)], [4, true]);
  assert.equal((await ask<{ name: string }>('orgs', 'show', 'acme')).name, 'acme');
  const created = await run('orgs', 'set', 'acme', 'owner=bob@acme.test', '--create-owner');
  assert.match(created.stderr, /bob@acme\.test is a new user, and an admin/);
  const users = await ask<{ email: string; isAdmin: boolean }[]>('users', 'list', 'acme');
  assert.deepEqual(
    users.map(({ email, isAdmin }) => [email, isAdmin]),
    [
      ['bob@acme.test', true],
      ['jane@acme.test', true],
    ],
  );
  const shown = await run('users', 'show', 'acme', 'BOB@acme.test');
  assert.match(shown.stdout, /Email: +bob@acme\.test\n[\s\S]*created {2}\(no run\)/);
});

test('keys are added, listed and revoked', async (t) => {
  const { data, run, ask } = atShell(t);
  const file = makeKey(t);
  await run('orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable');
  const added = await run('keys', 'add', 'acme', file, '--expires', '2999-12-31', '--from', '192.0.2.0/24,2001:db8::1');
  assert.equal(added.code, 0, added.stderr);
  const [key] = await ask<KeyJson[]>('keys', 'list', 'acme');
  assert.deepEqual(
    [key!.label, key!.state, key!.sources, key!.expiresAt],
    ['workday', 'usable', ['192.0.2.0/24', '2001:db8::1/128'], '3000-01-01T00:00:00.000Z'],
  );
  assert.equal((await run('keys', 'add', 'acme', file)).code, 4);

  for (const short of [
    '',
    'SHA256:',
    'SHA256',
    key!.fingerprint.slice(0, 10),
    key!.fingerprint.slice(7, 10),
    'password:',
  ])
    assert.equal((await run('keys', 'revoke', 'acme', short)).code, short === 'SHA256' ? 3 : 2, short);
  assert.equal((await ask<KeyJson[]>('keys', 'list', 'acme'))[0]!.state, 'usable');
  const revoked = await run('keys', 'revoke', 'acme', key!.fingerprint.slice(0, 15));
  assert.equal(revoked.code, 0, revoked.stderr);
  assert.equal((await run('keys', 'revoke', 'acme', key!.fingerprint)).code, 4);
  assert.equal((await run('keys', 'revoke', 'acme', 'SHA256:nothing')).code, 3);
  assert.equal((await ask<KeyJson[]>('keys', 'list', 'acme'))[0]!.state, 'revoked');

  const piped = await runDropslot(['keys', 'add', 'acme', '-', '--label', 'again'], {
    data,
    input: readFileSync(file),
  });
  assert.equal(piped.code, 0, piped.stderr);
  assert.equal((await ask<KeyJson[]>('keys', 'list', 'acme'))[0]!.label, 'again');
});

test('a key file that is none says why', async (t) => {
  const { run } = atShell(t);
  const file = makeKey(t);
  await run('orgs', 'add', 'acme', '--owner', 'jane@acme.test');
  const wrong = await run('keys', 'add', 'acme', file.replace('.pub', ''));
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /^dropslot: .*private key.*\n$/);
  assert.equal((await run('keys', 'add', 'acme', '/nowhere/key.pub')).code, 3);
  assert.equal((await run('keys', 'add', 'acme', file, '--from', '300.1.1.1')).code, 2);
  assert.equal((await run('keys', 'add', 'acme', file, '--expires', '1999-01-01')).code, 2);
  assert.equal((await run('keys', 'add', 'nobody', file)).code, 3);
});

test('wrong usage ends with 2 and one line', async (t) => {
  const { data, run } = atShell(t);
  const config = join(temporaryFolder(t), 'settings.json');
  writeFileSync(config, '{"port": 2222, "prot": 2}');
  const wrong: [string[], RegExp][] = [
    [['orgs', 'list', '--colour'], /unknown option '--colour'/],
    [['organisations'], /unknown command 'organisations'/],
    [['orgs', 'show'], /missing required argument 'org'/],
    [['orgs', 'add', 'acme'], /required option '--owner <email>'/],
    [['orgs', 'add', 'Acme!', '--owner', 'jane@acme.test'], /"Acme!" can't be an organization's id/],
    [['orgs', 'add', 'acme', '--owner', 'jane'], /owner must be an email address/],
    [['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--time-zone', 'Mars/Base'], /timeZone must be an IANA/],
    [['orgs', 'list', '--config', config], /unknown setting prot \(settings file .*did you mean port\?/],
    [['orgs', 'list', '--config', '/nowhere.json'], /can't be read/],
    [['serve', '--port', 'ssh'], /setting port must be a whole number from 0 to 65535 \(command line\)/],
    [['serve', '--role', 'boss'], /setting role must be all, intake or import/],
  ];
  for (const [args, message] of wrong) {
    const ran = await run(...args);
    assert.equal(ran.code, 2, `${args.join(' ')}: ${ran.stderr}`);
    assert.match(ran.stderr, message);
    assert.match(ran.stderr, /^dropslot: [^\n]+\n$/);
    assert.equal(ran.stdout, '');
  }
  assert.throws(() => statSync(data), { code: 'ENOENT' }, 'nothing was made');
  const unknown = await runDropslot(['orgs', 'list'], { data, env: { DROPSLOT_PROT: '1' } });
  assert.deepEqual(
    [unknown.code, /unknown setting DROPSLOT_PROT .*did you mean DROPSLOT_PORT\?/.test(unknown.stderr)],
    [2, true],
  );
});

test('settings of an organization: help that fits a terminal, errors that help, and what show prints', async (t) => {
  const { data, run, ask } = atShell(t);
  const help = await run('orgs', 'set', '--help');
  assert.deepEqual(
    help.stdout.split('\n').filter((line) => line.length > 80),
    [],
  );
  await run('orgs', 'add', 'acme', '--owner', 'jane@acme.test');
  const set = (...assignments: string[]) => run('orgs', 'set', 'acme', ...assignments);
  const misspelt = await set('slot=05:00', 'maxFile=5');
  assert.deepEqual(
    [misspelt.code, /unknown setting "maxFile"; did you mean maxFiles\?/.test(misspelt.stderr)],
    [2, true],
  );
  assert.match(
    (await set('expectFiles=payroll')).stderr,
    /expectFiles must be users, teams, "users,teams" or default, not "payroll"; example: expectFiles=/,
  );
  assert.equal((await ask<OrgJson>('orgs', 'show', 'acme')).slot, '02:00', 'nothing was changed');
  assert.equal((await set('maxFileBytes=20GB', 'maxUpdatedShare=80%', 'slot=04:00')).code, 0);
  const shown = (await run('orgs', 'show', 'acme')).stdout;
  assert.match(shown, /\nslot: +04:00\n[\s\S]*\nmaxUpdatedShare: +80%\nmaxFileBytes: +20GB\n/);
  assert.ok(!shown.includes('maxFiles'));
  const all = (await runDropslot(['orgs', 'show', 'acme', '--all'], { data, env: { DROPSLOT_MAX_FILES: '77' } }))
    .stdout;
  assert.match(all, /\nmaxFileBytes: +20GB\nmaxFiles: +77 \(default\)\n/);
  assert.equal((await set('slot=default', 'maxFileBytes=default')).code, 0);
  const { settings } = await ask<{ settings: Record<string, unknown> }>('orgs', 'show', 'acme', '--all');
  assert.deepEqual(settings.slot, { value: '02:00', default: false });
  assert.deepEqual(settings.maxFileBytes, { value: '4GiB', default: true });
});

test('a data folder without data is not made by looking at it', async (t) => {
  const { data, run } = atShell(t);
  const ran = await run('orgs', 'list');
  assert.equal(ran.code, 3);
  assert.match(ran.stderr, /no Dropslot data in/);
  assert.throws(() => statSync(data), { code: 'ENOENT' });
});

test('--json stands anywhere, and errors come as JSON too', async (t) => {
  const { run } = atShell(t);
  await run('orgs', 'add', 'acme', '--owner', 'jane@acme.test');
  for (const args of [
    ['--json', 'orgs', 'list'],
    ['orgs', '--json', 'list'],
    ['orgs', 'list', '--json'],
  ]) {
    const ran = await run(...args);
    assert.equal(JSON.parse(ran.stdout)[0].id, 'acme', args.join(' '));
  }
  const failed = await run('orgs', 'show', 'nobody', '--json');
  assert.deepEqual(JSON.parse(failed.stderr), {
    schema: 1,
    error: { code: 'not_found', message: 'no organization "nobody"; see "dropslot orgs list"' },
  });
  assert.equal(failed.code, 3);
});
