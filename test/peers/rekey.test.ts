/** New keys on the way: asked for by the server, by the client, and by both at once, under OpenSSH's transfers. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { layPeerTable, missing } from '../support/peers.js';
import { connect, startTestServer } from '../support/server.js';
import { until } from '../support/session.js';

const skip = missing('sftp', 'openssh-client');
const MiB = 1024 * 1024;

/** Key exchanges in what OpenSSH says. */
function countExchanges(stderr: string): number {
  return stderr.match(/SSH2_MSG_NEWKEYS received/g)?.length ?? 0;
}

test('the server rekeys long transfers of OpenSSH, up and down, while the client does so, too', { skip }, async (t) => {
  const table = await layPeerTable(t, undefined, { rekeyBytes: 4 * MiB });
  const content = randomBytes(24 * MiB);
  table.file('users.csv', content);
  const transfer = async (...more: string[]) => {
    const options = ['-o', 'LogLevel=DEBUG1', ...table.sshOptions(), ...more, '-P', String(table.port), '-b', '-'];
    const commands = 'put users.csv\nget users.csv back.csv\n';
    const ran = await table.run('sftp', [...options, `acme@${table.host}`], commands);
    assert.equal(ran.code, 0, ran.stderr.slice(-2000));
    assert.ok(table.fetched('back.csv').equals(content));
    return countExchanges(ran.stderr);
  };
  // 48 MiB both ways, and a little: every 4 MiB, as far as requests lie between.
  const byServer = await transfer();
  assert.ok(byServer >= 6, `${byServer} exchanges`);
  const byBoth = await transfer('-o', 'RekeyLimit=1M');
  assert.ok(byBoth > byServer, `${byBoth} exchanges, with the client's own`);
  // Whatever the cipher, and with the integrity of its own that the others lack.
  await transfer('-c', 'aes256-ctr', '-o', 'RekeyLimit=3M');
});

/** Whoever asked: the client hears nothing more, and does not know it. */
function deafen(client: object): void {
  (client as { _protocol: { parse(): void } })._protocol.parse = () => {};
}

test('an exchange that the client leaves half done puts it out, whoever began; one that does goes on', async (t) => {
  const [asking, asked] = [
    await startTestServer(t, { rekeyMinutes: 0.5 / 60, loginSeconds: 5 }),
    await startTestServer(t, { loginSeconds: 5 }),
  ];
  const lively = await connect(t, asking.login);
  let exchanges = 0;
  lively.on('handshake', () => exchanges++);
  const clients = [await connect(t, asking.login), await connect(t, asked.login)];
  const closed = clients.map(
    (client) => new Promise<void>((resolve) => client.on('error', () => {}).once('close', () => resolve())),
  );
  (clients[1] as unknown as { _protocol: { rekey(): void } })._protocol.rekey();
  for (const client of clients) deafen(client);
  await Promise.all(closed);
  await until(() => exchanges >= 2, 'new keys for the other', 30_000);
});
