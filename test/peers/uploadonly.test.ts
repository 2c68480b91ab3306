/** What deliverers do with a key that may upload only: send, look at the result, rename, resume; and read nothing back. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { updateLoginKey } from '../../db/control/keys.js';
import { allowKey, newKeyPair, writeKeyFile } from '../support/keys.js';
import { layPeerTable, missing, type PeerTable, type Ran } from '../support/peers.js';

const content = randomBytes(300_000);

type Run = (table: PeerTable) => Promise<Ran>;

const paramiko = `
import paramiko, sys
transport = paramiko.Transport((sys.argv[1], int(sys.argv[2])))
transport.connect(username='acme', pkey=paramiko.ECDSAKey.from_private_key_file(sys.argv[3]))
sftp = paramiko.SFTPClient.from_transport(transport)
assert sftp.put('users.csv', '/paramiko.csv.part').st_size == 300000
sftp.utime('/paramiko.csv.part', (1700000000, 1700000123))
sftp.posix_rename('/paramiko.csv.part', '/paramiko.csv')
assert 'paramiko.csv' in sftp.listdir('/')
for path in ('/paramiko.csv', '/reports'):
    try:
        sftp.listdir(path) if path == '/reports' else sftp.open(path).read()
        sys.exit(path)
    except PermissionError: pass
sftp.close(); transport.close()
`;

/** Each sends users.csv under its own name. */
const deliverers: Record<string, { skip: string | false; send: Run; fetch?: Run }> = {
  scp: {
    skip: missing('scp', 'openssh-client'),
    send: (table) =>
      table.run('scp', ['-P', String(table.port), ...table.sshOptions(), 'users.csv', `acme@${table.host}:/scp.csv`]),
    fetch: (table) =>
      table.run('scp', ['-P', String(table.port), ...table.sshOptions(), `acme@${table.host}:/scp.csv`, 'back.csv']),
  },
  lftp: {
    skip: missing('lftp', 'lftp'),
    send: (table) =>
      table.run('lftp', [
        '-c',
        `${openLftp(table)}; put users.csv -o .lftp.tmp; mv .lftp.tmp lftp.csv; cls -l lftp.csv`,
      ]),
    fetch: (table) => table.run('lftp', ['-c', `${openLftp(table)}; get lftp.csv -o back.csv`]),
  },
  rclone: {
    skip: missing('rclone', 'rclone'),
    send: (table) => rclone(table, 'copyto', 'users.csv', `${remoteOf(table)}rclone.csv`),
    fetch: (table) => rclone(table, 'copyto', `${remoteOf(table)}rclone.csv`, 'back.csv'),
  },
  curl: {
    skip: missing('curl', 'curl'),
    send: (table) => curl(table, '-T', 'users.csv'),
    fetch: (table) => curl(table, '-o', 'back.csv'),
  },
  paramiko: {
    skip:
      spawnSync('/usr/bin/python3', ['-c', 'import paramiko']).status !== 0 &&
      'paramiko is NOT INSTALLED: apt-get install python3-paramiko',
    send: (table) => table.run('/usr/bin/python3', ['-c', paramiko, table.host, String(table.port), ecdsaOf(table)]),
  },
};

test('clients with an upload-only key', async (t) => {
  const table = await layPeerTable(t);
  table.file('users.csv', content);
  const pair = newKeyPair('ecdsa');
  await allowKey(table.control, 'acme', pair);
  writeKeyFile(table.folder, pair, 'ecdsa_key');
  table.file('ecdsa_key.pub', `${pair.public.algorithm} ${pair.public.publicKey}\n`);
  for (const key of [pair, table.key])
    await updateLoginKey(table.control.write, 'acme', key.public.fingerprint, { permission: 'upload' });
  for (const [name, { skip, send, fetch }] of Object.entries(deliverers)) {
    await t.test(name, { skip }, async () => {
      const sent = await send(table);
      assert.equal(sent.code, 0, `${sent.stdout}${sent.stderr}`);
      assert.ok((await table.queued()).includes(`/${name}.csv`));
      assert.deepEqual(await table.stored(`/${name}.csv`), content);
      if (fetch === undefined) return;
      const fetched = await fetch(table);
      assert.notEqual(fetched.code, 0, `${fetched.stdout}${fetched.stderr}`);
    });
  }
});

function openLftp(table: PeerTable): string {
  const connect = `ssh -a -x ${table.sshOptions().join(' ')}`;
  const settings = `set cmd:fail-exit yes; set net:max-retries 1; set sftp:connect-program "${connect}"`;
  return `${settings}; open -u acme, -p ${table.port} sftp://${table.host}`;
}

function remoteOf({ host, port, keyFile }: PeerTable): string {
  return `:sftp,host=${host},port=${port},user=acme,key_file="${keyFile}":`;
}

function rclone(table: PeerTable, ...args: string[]): Promise<Ran> {
  return table.run('rclone', ['--config', '/dev/null', '--retries', '1', '--low-level-retries', '1', ...args]);
}

function ecdsaOf({ folder }: PeerTable): string {
  return `${folder}/ecdsa_key`;
}

function curl(table: PeerTable, ...args: string[]): Promise<Ran> {
  const key = ecdsaOf(table);
  const url = `sftp://${table.host}:${table.port}/curl.csv`;
  return table.run('curl', ['-sS', '-k', '--key', key, '--pubkey', `${key}.pub`, '-u', 'acme:', ...args, url]);
}
