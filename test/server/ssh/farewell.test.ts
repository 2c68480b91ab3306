/** What clients are told that are turned away: before the identification, during the login, and after it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { test } from 'node:test';
import ssh2, { type ConnectConfig } from 'ssh2';
import { updateOrg } from '../../../db/control/orgs.js';
import { askEnds, listSessions } from '../../../db/control/sessions.js';
import { bidFarewell, keysOnly, refusalLine, tooManyFailures } from '../../../server/ssh/farewell.js';
import { newKeyPair } from '../../support/keys.js';
import { layPeerTable, missing } from '../../support/peers.js';
import { connect, openSftp, startTestServer } from '../../support/server.js';
import { until } from '../../support/session.js';

const contact = 'sftp-help@example.test';
const skip = missing('ssh', 'openssh-client');

/** The banner of a client that does not get in, and the sentence of its disconnect message. */
async function attend(login: ConnectConfig): Promise<{ banner: string; disconnect: string }> {
  const heard = { banner: '', disconnect: '' };
  const client = new ssh2.Client()
    .on('banner', (text) => {
      heard.banner += text;
    })
    .on('error', () => {});
  const debug = (line: string): void => {
    heard.disconnect = /Received DISCONNECT \((.*)\)/.exec(line)?.[1] ?? heard.disconnect;
  };
  // Not by once(): it rejects on an error.
  const closed = new Promise((resolve) => client.once('close', () => resolve(null)));
  client.connect({ ...login, debug });
  await closed;
  return heard;
}

test('a password where no organization has one: the banner says that keys are needed, and whom to ask', async (t) => {
  const server = await startTestServer(t, { contact });
  const { host, port } = server;
  const tries: ConnectConfig[] = [
    { password: 'secret' },
    // These do not ask for `none` before: paramiko does so, too.
    { password: 'secret', authHandler: ['password'] },
    { authHandler: ['keyboard-interactive'], tryKeyboard: true },
    { username: 'nobody', password: 'secret', authHandler: ['password'] },
  ];
  for (const one of tries) {
    const { banner } = await attend({ host, port, username: 'acme', ...one });
    assert.equal(banner, keysOnly(contact), JSON.stringify(one));
  }
  assert.match(keysOnly(contact), /public keys only, no passwords.* Help: sftp-help@example\.test\r\n$/);
  assert.match(keysOnly(undefined), /organization\.\r\n$/);
});

test('a client that logs in from a known address gets no banner', async (t) => {
  const server = await startTestServer(t, { contact });
  let banners = 0;
  const login = async () => {
    const client = new ssh2.Client().on('banner', () => banners++);
    t.after(() => void client.destroy());
    client.connect(server.login);
    await once(client, 'ready');
  };
  await login();
  const before = banners;
  await login();
  assert.deepEqual([before, banners], [1, 1]);
});

test('one connection too many of an organization, and one session too many', async (t) => {
  const server = await startTestServer(t, { contact });
  await updateOrg(server.control.write, 'acme', { options: { maxConnections: 1, maxSessions: 1 } });
  const client = await connect(t, server.login);
  await openSftp(client);
  await assert.rejects(openSftp(client), /your organization has as many sessions as it may have/);
  const { disconnect } = await attend(server.login);
  assert.match(disconnect, /12.*your organization has as many connections.* Help: sftp-help@example\.test/);
  // Only one who has proven a key hears it.
  const stranger = await attend({ ...server.login, privateKey: newKeyPair().private });
  assert.equal(stranger.disconnect, '');
});

test('too many keys, and no login in time', async (t) => {
  const server = await startTestServer(t, { contact, loginAttempts: 1, loginSeconds: 1 });
  const keys = [newKeyPair().private, newKeyPair().private];
  const authHandler = () =>
    keys.length === 0 ? false : { type: 'publickey' as const, username: 'acme', key: keys.pop()! };
  const tooMany = await attend({ ...server.login, authHandler: authHandler as never });
  assert.match(tooMany.disconnect, /14.*too many login attempts/);
  const late = await attend({ ...server.login, authHandler: (() => {}) as never });
  assert.match(late.disconnect, /there was no login in time/);
});

test('a session whose organization is disabled, and one of a server that stops', async (t) => {
  const server = await startTestServer(t);
  const listen = async () => {
    const lines: string[] = [];
    const client = await connect(t, { ...server.login, debug: (line) => void lines.push(line) });
    const closed = new Promise((resolve) => client.on('error', () => {}).once('close', () => resolve(null)));
    return { closed, lines };
  };
  const ended = await listen();
  await updateOrg(server.control.write, 'acme', { enabled: false });
  await ended.closed;
  assert.ok(ended.lines.some((line) => /DISCONNECT.*this login is no longer valid/.test(line)));
  await updateOrg(server.control.write, 'acme', { enabled: true });
  const stopped = await listen();
  await server.stop(0);
  await stopped.closed;
  assert.ok(stopped.lines.some((line) => /DISCONNECT.*the server stops/.test(line)));
});

test('a refused address reads why, even if it has sent something, and many that do not read are cut off', async (t) => {
  const server = await startTestServer(t, { contact, exemptAddresses: [], maxUnauthenticatedPerAddress: 1 });
  const first = connectSocket(server.port, '127.0.0.1');
  t.after(() => void first.destroy());
  await once(first, 'data');
  const sockets = Array.from({ length: 120 }, () => {
    const socket = connectSocket({ port: server.port, host: '127.0.0.1' }).on('error', () => {});
    t.after(() => void socket.destroy());
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.write('SSH-2.0-Test\r\n');
    return { closed: new Promise((resolve) => socket.once('close', () => resolve(null))), text: () => text };
  });
  await Promise.all(sockets.map(({ closed }) => closed));
  const told = sockets.filter(({ text }) => text() !== '');
  assert.ok(told.length >= 20, `${told.length} of 120`);
  for (const { text } of told)
    assert.match(text(), /^Too many connections of this address .*Help: sftp-help@example\.test\r\n$/);
  first.destroy();
  const isIn = () =>
    connect(t, server.login).then(
      () => true,
      () => false,
    );
  await until(isIn, 'room again', 30_000);
});

test('OpenSSH shows each of them', { skip }, async (t) => {
  const table = await layPeerTable(t, undefined, { contact, exemptAddresses: [], maxUnauthenticatedPerAddress: 1 });
  const { host, port } = table;
  const run = (...more: string[]) =>
    table.run('ssh', [...more, ...table.sshOptions(), '-p', String(port), '-s', `acme@${host}`, 'sftp']);
  const withPassword = await run('-o', 'PubkeyAuthentication=no', '-o', 'LogLevel=INFO');
  assert.match(withPassword.stderr, /public keys only, no passwords.*Help: sftp-help@example\.test/);
  await updateOrg(table.control.write, 'acme', { options: { maxConnections: 0 } });
  const tooMany = await run('-o', 'LogLevel=INFO');
  assert.match(tooMany.stderr, /Received disconnect from .*:12: your organization has as many connections/);
  const first = connectSocket(port, host);
  t.after(() => void first.destroy());
  await once(first, 'data');
  const refused = await run('-v');
  assert.match(refused.stderr, /Too many connections of this address have not logged in/);
});

test('each sentence is one line, whatever the reason, and no line can be taken for an identification', () => {
  for (const reason of ['the limit maxConnections is reached', 'the address has a penalty'] as const)
    for (const waitMs of [0, 1, 15_000, 600_000]) {
      const line = refusalLine(reason, waitMs, contact);
      assert.match(line, /^(?!SSH-)[^\r\n]{1,250}\r\n$/);
    }
  assert.match(refusalLine('the address has a penalty', 14_001, undefined), /try again in 15 s\.\r\n$/);
  assert.match(tooManyFailures(600_000, undefined), /Try again in 10 minutes\.\r\n$/);
  assert.deepEqual(bidFarewell('connection failed', contact).text, '');
});

test('a session that an operator ends: the client is told so, and its key may log in again', async (t) => {
  const server = await startTestServer(t, { contact });
  const { control, login } = server;
  const ended = attend(login);
  const list = () => listSessions(control.read, { now: Date.now(), limit: 10 });
  await until(async () => (await list()).length === 1, 'the session to be listed');
  const [session] = await list();
  assert.deepEqual([session!.org, session!.address, session!.openFiles], ['acme', '127.0.0.1', 0]);
  await askEnds(control.write, [session!.id], 'operator:jo');
  assert.match((await ended).disconnect, /"the operator of the server has ended this session\. Help: sftp-help@/);
  await until(async () => (await list()).length === 0, 'the session to be removed from the list');
  (await connect(t, login)).end();
});
