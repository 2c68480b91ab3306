/** Libraries that integrators build on: paramiko and ssh2-sftp-client; and sshfs, which behaves as a file system does. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import { allowKey, newKeyPair, writeKeyFile } from '../support/keys.js';
import { layPeerTable, missing } from '../support/peers.js';

const content = randomBytes(3_000_000);

const python = '/usr/bin/python3';
const skipParamiko =
  spawnSync(python, ['-c', 'import paramiko']).status === 0
    ? false
    : 'paramiko is NOT INSTALLED: apt-get install python3-paramiko';

const paramikoScript = `
import hashlib, paramiko, sys
host, port, key = sys.argv[1], int(sys.argv[2]), sys.argv[3]
load = paramiko.RSAKey if sys.argv[4] == 'rsa' else paramiko.ECDSAKey
transport = paramiko.Transport((host, port))
transport.connect(username='acme', pkey=load.from_private_key_file(key))
sftp = paramiko.SFTPClient.from_transport(transport)
attributes = sftp.put('users.csv', '/users.csv.part')      # asks STAT, and compares the size
assert attributes.st_size == 3000000, attributes
sftp.utime('/users.csv.part', (1700000000, 1700000123))
sftp.chmod('/users.csv.part', 0o600)
sftp.posix_rename('/users.csv.part', '/users.csv')
assert sftp.stat('/users.csv').st_mtime == 1700000123
assert sorted(sftp.listdir('/')) == ['archive', 'dry-run', 'reports', 'templates', 'users.csv'], sftp.listdir('/')
sftp.get('/users.csv', 'back.csv')                         # prefetches: many READs in flight
sent = open('users.csv', 'rb').read()
with sftp.open('/users.csv') as file:
    for name in ('sha256', 'md5'):
        assert file.check(name) == hashlib.new(name, sent).digest(), name
    assert file.check('sha1', 1000, 2000) == hashlib.sha1(sent[1000:3000]).digest()
with sftp.open('/teams.csv', 'w') as file:
    file.set_pipelined(True)
    for line in range(1000):
        file.write('Team %d,owner@acme.test\\n' % line)
with sftp.open('/teams.csv') as file:
    assert file.read().count(b'\\n') == 1000
with sftp.open('/teams.csv', 'a') as file:
    file.write('one more\\n')
assert sftp.open('/teams.csv').read().endswith(b'one more\\n')
sftp.truncate('/teams.csv', 10)
assert sftp.stat('/teams.csv').st_size == 10
try:
    sftp.put('users.csv', '/reports/users.csv')
    raise SystemExit('wrote into /reports')
except PermissionError:
    pass
transport.close()
`;

for (const type of ['rsa', 'ecdsa'] as const)
  test(`paramiko, with a key of type ${type}`, { skip: skipParamiko }, async (t) => {
    const table = await layPeerTable(t);
    const pair = newKeyPair(type);
    await allowKey(table.control, 'acme', pair);
    const key = writeKeyFile(table.folder, pair, 'paramiko_key');
    table.file('users.csv', content);
    const { code, stderr } = await table.run(python, ['-c', paramikoScript, table.host, String(table.port), key, type]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(table.fetched('back.csv'), content);
    assert.deepEqual(await table.stored('/users.csv'), content);
    assert.deepEqual((await table.queued()).sort(), ['/teams.csv', '/users.csv']);
  });

test('ssh2-sftp-client, with many writes in flight', async (t) => {
  const table = await layPeerTable(t);
  const client = new SftpClient();
  t.after(() => client.end());
  await client.connect(table.login);
  const path = table.file('users.csv', content);
  await client.put(Buffer.from('Team Name\nSales\n'), '/teams.csv');
  await client.fastPut(path, '/users.csv.part');
  await client.posixRename('/users.csv.part', '/users.csv');
  await client.fastGet('/users.csv', `${table.folder}/back.csv`);
  assert.deepEqual(table.fetched('back.csv'), content);
  assert.equal((await client.stat('/users.csv')).size, content.length);
  await client.append(Buffer.from('Support\n'), '/teams.csv');
  assert.equal((await client.get('/teams.csv')).toString(), 'Team Name\nSales\nSupport\n');
  await client.mkdir('/a/b/c', true);
  await client.rmdir('/a', true);
  const names = (await client.list('/')).map(({ name, type }) => `${name} ${type}`);
  assert.deepEqual(names, ['archive d', 'dry-run d', 'reports d', 'teams.csv -', 'templates d', 'users.csv -']);
  assert.equal(await client.exists('/nothing'), false);
  assert.deepEqual((await table.queued()).sort(), ['/teams.csv', '/users.csv']);
  await client.delete('/users.csv');
  assert.deepEqual(await table.queued(), ['/teams.csv']);
});

const skipSshfs = missing('sshfs', 'sshfs') || (existsSync('/dev/fuse') ? false : 'there is no /dev/fuse here');

test('sshfs mounts it, and programs work on files there', { skip: skipSshfs }, async (t) => {
  const table = await layPeerTable(t);
  const mount = `${table.folder}/mount`;
  mkdirSync(mount);
  table.file('users.csv', content);
  const options = table.sshOptions().slice(4);
  const mounted = await table.run('sshfs', [
    `acme@${table.host}:/`,
    mount,
    '-p',
    String(table.port),

    '-F',
    '/dev/null',
    '-o',
    `IdentityFile=${table.keyFile}`,
    ...options,
  ]);
  if (mounted.code !== 0 && /fuse: (mount failed|device not found)|not permitted/i.test(mounted.stderr)) {
    t.skip(`this machine lets nobody mount: ${mounted.stderr.trim()}`);
    return;
  }
  assert.equal(mounted.code, 0, mounted.stderr);
  t.after(() => void spawnSync('fusermount', ['-u', '-z', mount]));
  const shell = ['set -e', 'cp users.csv mount/users.csv', 'cmp users.csv mount/users.csv', 'mkdir mount/drop']
    .concat([
      'echo "Team Name" >mount/drop/t.tmp',
      'echo Sales >>mount/drop/t.tmp',
      'mv mount/drop/t.tmp mount/teams.csv',
    ])
    .concat(['rmdir mount/drop', 'touch -d 2026-01-31 mount/teams.csv', 'cat mount/teams.csv', 'ls mount'])
    .concat([
      // open while it is renamed, and while it is removed
      'exec 3>mount/open.tmp',
      'echo one >&3',
      'mv mount/open.tmp mount/open.csv',
      'echo two >&3',
      'exec 3>&-',
      'cat mount/open.csv',
      'exec 3>mount/gone.csv',
      'echo one >&3',
      'rm mount/gone.csv',
      'echo two >&3',
      'exec 3>&-',
      'ls -A mount | grep -c gone || true',
      "df -B1 mount | awk 'NR==2 {print $2}'",
    ])
    .join('\n');
  const { code, stdout, stderr } = await table.run('sh', ['-c', shell]);
  assert.equal(code, 0, stderr);
  assert.equal(
    stdout,
    'Team Name\nSales\narchive\ndry-run\nreports\nteams.csv\ntemplates\nusers.csv\none\ntwo\n0\n107374182400\n',
  );
  assert.deepEqual((await table.queued()).sort(), ['/open.csv', '/teams.csv', '/users.csv']);
});
