/** New keys on the way: asked for by the server, by the client, and by both at once, under OpenSSH's transfers. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { missingModern, modernClient } from '../support/modern.js';
import { layPeerTable, missing } from '../support/peers.js';
import { connect, openSftp, startTestServer } from '../support/server.js';
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

for (const suite of ['backports', 'unstable'] as const)
  test(`OpenSSH of ${suite}: exchanges that both sides begin, under load in both directions`, {
    skip: missingModern(suite),
  }, async (t) => {
    const table = await layPeerTable(t, undefined, { rekeyBytes: 2 * MiB });
    const content = randomBytes(16 * MiB);
    table.file('users.csv', content);
    const options = ['-o', 'LogLevel=DEBUG1', '-o', 'RekeyLimit=1M', ...table.sshOptions()];
    const run = (program: 'ssh' | 'sftp', ...args: string[]) => table.start(modernClient(suite, program), args);
    const sftp = (commands: string, ...args: string[]) =>
      table.start(
        modernClient(suite, 'sftp'),
        ['-b', '-', '-P', String(table.port), ...args, `acme@${table.host}`],
        commands,
      ).ended;
    // Uploads and downloads share one connection, so that both sides send while keys are exchanged.
    const socket = ['-o', `ControlPath=${table.folder}/control`];
    const master = run('ssh', '-M', '-N', ...socket, ...options, '-p', String(table.port), `acme@${table.host}`);
    await until(() => existsSync(`${table.folder}/control`), 'the shared connection', 30_000);
    const first = await sftp('put users.csv first.csv\n', ...socket, ...options);
    assert.equal(first.code, 0, first.stderr.slice(-2000));
    const both = await Promise.all([
      sftp('get first.csv back.csv\n', ...socket, ...options),
      sftp('put users.csv second.csv\n', ...socket, ...options),
      sftp('get first.csv again.csv\n', ...socket, ...options),
      sftp('put users.csv third.csv\n', ...socket, ...options),
    ]);
    for (const { code, stderr } of both) assert.equal(code, 0, stderr.slice(-2000));
    master.child.kill('SIGTERM');
    const { stderr } = await master.ended;
    assert.doesNotMatch(stderr, /Disconnect|unexpected|protocol error/i);
    assert.ok(countExchanges(stderr) >= 20, `${countExchanges(stderr)} exchanges`);
    for (const name of ['back.csv', 'again.csv']) assert.ok(table.fetched(name).equals(content), name);
    for (const name of ['/second.csv', '/third.csv']) assert.ok((await table.stored(name)).equals(content), name);
  });

/** SSH_MSG_KEXINIT and _NEWKEYS; RFC 4253, section 7.1: between the two a side sends packets of the transport alone. */
const [kexInit, newKeys] = [20, 21];
const mayBeSent = (type: number): boolean => (type <= 49 && ![5, 6, kexInit].includes(type)) || type === newKeys;

interface ServerPackets {
  /** Types of packets that the server sent between its KEXINIT and its NEWKEYS, and must not. */
  wrong: number[];
  exchanges: number;
  data: number;
}

/** Reads the server's packets as OpenSSH 10.4 and later do, which disconnect a peer that sends others in an exchange. */
function watchStrictly(client: object): ServerPackets {
  const { _protocol: protocol } = client as {
    _protocol: { _parse(...args: unknown[]): unknown; _decipher: { _onPayload(payload: Buffer): unknown } };
  };
  const seen: ServerPackets = { wrong: [], exchanges: 0, data: 0 };
  let inExchange = false;
  const watched = new WeakSet<object>();
  const parse = protocol._parse;
  const see = (payload: Buffer): void => {
    const type = payload[0]!;
    if (inExchange && !mayBeSent(type)) seen.wrong.push(type);
    if (type === kexInit) inExchange = true;
    if (type === newKeys && inExchange) {
      inExchange = false;
      seen.exchanges++;
    }
    if (type === 94) seen.data++;
  };
  const watch = (): void => {
    const decipher = protocol._decipher;
    if (watched.has(decipher)) return;
    watched.add(decipher);
    let receive = decipher._onPayload;
    // ssh2 replaces the receiver for the time of an exchange.
    Object.defineProperty(decipher, '_onPayload', {
      configurable: true,
      get: () => (payload: Buffer) => {
        see(payload);
        const result = receive.call(decipher, payload);
        watch();
        return result;
      },
      set: (other: typeof receive) => {
        receive = other;
      },
    });
  };
  protocol._parse = function (this: unknown, ...args: unknown[]) {
    watch();
    return parse.apply(this, args);
  };
  watch();
  return seen;
}

test('in an exchange the server sends nothing but the exchange, under load in both directions, whoever begins', async (t) => {
  const server = await startTestServer(t, { rekeyBytes: MiB, keepaliveSeconds: 0.2 });
  const client = await connect(t, server.login);
  const seen = watchStrictly(client);
  const lost = new Promise<never>((_, reject) => client.once('close', () => reject(new Error('disconnected'))));
  lost.catch(() => {});
  const sftp = await openSftp(client);
  const content = randomBytes(8 * MiB);
  const put = (path: string) =>
    new Promise<void>((resolve, reject) =>
      sftp.createWriteStream(path).on('error', reject).on('close', resolve).end(content),
    );
  const get = (path: string) =>
    new Promise<Buffer>((resolve, reject) => {
      const chunks: Buffer[] = [];
      const stream = sftp.createReadStream(path).on('error', reject);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks)));
    });
  await Promise.race([put('/first.bin'), lost]);
  // The client begins exchanges of its own in between, also at the same moment as the server.
  const { rekey } = (client as unknown as { _protocol: { rekey(): void; _kexinit: unknown } })._protocol;
  const timer = setInterval(() => {
    const protocol = (client as unknown as { _protocol: { rekey(): void; _kexinit: unknown } })._protocol;
    if (protocol._kexinit === undefined) rekey.call(protocol);
  }, 150);
  t.after(() => clearInterval(timer));
  const transfers = Promise.all([get('/first.bin'), get('/first.bin'), put('/second.bin'), put('/third.bin')]);
  const [back, again] = await Promise.race([transfers, lost]);
  clearInterval(timer);
  assert.ok(back.equals(content) && again.equals(content));
  assert.deepEqual([...new Set(seen.wrong)], []);
  assert.ok(seen.exchanges >= 10, `${seen.exchanges} exchanges`);
  assert.ok(seen.data > 100, `${seen.data} packets of data`);
});
