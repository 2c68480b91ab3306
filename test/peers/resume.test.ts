/** Uploads that were cut off at their very end, when nothing but the CLOSE was missing: clients that compare sizes go on all the same. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { replacing, sender } from '../support/intake.js';
import { allowKey, newKeyPair, writeKeyFile } from '../support/keys.js';
import { layPeerTable, missing, type PeerTable, type Ran } from '../support/peers.js';

const content = randomBytes(1_000_000);

function succeed({ code, stdout, stderr }: Ran): void {
  assert.equal(code, 0, `${stdout}${stderr}`);
}

/** As if a client had sent so much of the file before its connection died. */
async function cutOff({ intake, org }: PeerTable, bytes: number, path = '/users.csv'): Promise<void> {
  const upload = await intake.forSender(org, sender).begin(path, replacing);
  await upload.write(0, content.subarray(0, bytes));
  await upload.abort();
}

async function expectWhole(table: PeerTable): Promise<void> {
  assert.ok(content.equals(await table.stored('/users.csv')));
  assert.deepEqual(await table.queued(), ['/users.csv']);
}

function sftp(table: PeerTable, command: string, options: readonly string[] = []) {
  const args = ['-b', '-', '-P', String(table.port), ...options, ...table.sshOptions(), `acme@${table.host}`];
  return table.start('sftp', args, `${command}\n`);
}

const skipSftp = missing('sftp', 'openssh-client');

// All of it: nothing but the CLOSE is missing.
for (const command of ['reput users.csv', 'put -a users.csv'])
  for (const sent of [300_000, content.length])
    test(`sftp: ${command}, after ${sent} of ${content.length} bytes`, { skip: skipSftp }, async (t) => {
      const table = await layPeerTable(t);
      table.file('users.csv', content);
      await cutOff(table, sent);
      succeed(await sftp(table, command).ended);
      await expectWhole(table);
    });

test('lftp put -c', { skip: missing('lftp', 'lftp') }, async (t) => {
  for (const sent of [300_000, content.length]) {
    const table = await layPeerTable(t);
    table.file('users.csv', content);
    await cutOff(table, sent);
    const commands = [
      'set cmd:fail-exit yes',
      'set net:max-retries 1',
      `set sftp:connect-program "ssh -a -x ${table.sshOptions().join(' ')}"`,
      `open -u acme, -p ${table.port} sftp://${table.host}`,
      'put -c users.csv',
    ];
    succeed(await table.run('lftp', ['-c', commands.join('; ')]));
    await expectWhole(table);
  }
});

test('curl -C -', { skip: missing('curl', 'curl') }, async (t) => {
  for (const sent of [300_000, content.length]) {
    const table = await layPeerTable(t);
    const pair = newKeyPair('ecdsa');
    await allowKey(table.control, 'acme', pair);
    const key = writeKeyFile(table.folder, pair, 'curl_key');
    table.file('curl_key.pub', `${pair.public.algorithm} ${pair.public.publicKey}\n`);
    table.file('users.csv', content);
    await cutOff(table, sent);
    const url = `sftp://${table.host}:${table.port}/users.csv`;
    const login = ['--key', key, '--pubkey', `${key}.pub`, '-u', 'acme:'];
    succeed(await table.run('curl', ['-sS', '-k', ...login, '-C', '-', '-T', 'users.csv', url]));
    await expectWhole(table);
  }
});

test('rclone does not take what was cut off for the file', { skip: missing('rclone', 'rclone') }, async (t) => {
  const table = await layPeerTable(t);
  table.file('users.csv', content);
  await cutOff(table, content.length);
  const remote = `:sftp,host=${table.host},port=${table.port},user=acme,key_file="${table.keyFile}":users.csv`;
  succeed(
    await table.run('rclone', [
      '--config',
      '/dev/null',
      '--retries',
      '1',
      '--size-only',
      'copyto',
      'users.csv',
      remote,
    ]),
  );
  await expectWhole(table);
});
