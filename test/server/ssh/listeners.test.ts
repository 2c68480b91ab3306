/** The way in under attack: who is turned away, at which cost, and who still gets in. */
import assert from 'node:assert/strict';
import { connect as connectSocket, type Socket } from 'node:net';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import { listAudit } from '../../../db/control/audit.js';
import { updateOrg } from '../../../db/control/orgs.js';
import { allowKey, newKeyPair } from '../../support/keys.js';
import { connect, openSftp, startTestServer, type TestServer } from '../../support/server.js';
import { keepingLogger, until as untilWithin } from '../../support/session.js';
import type { Scope } from '../../support/temporary.js';

/** Machines may be slow. */
const until = (holds: () => boolean | Promise<boolean>, what: string) => untilWithin(holds, what, 30_000);

/** Points are forgotten by the second: here they stay. */
function stoppedClock(): () => number {
  const at = Date.now();
  return () => at;
}

/** A socket from an address of our own; the server's bytes when it ends. */
function visit(scope: Scope, port: number, from: string, ...pieces: (string | Buffer)[]) {
  const socket = connectSocket({ port, host: '127.0.0.1', localAddress: from });
  scope.after(() => void socket.destroy());
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  for (const piece of pieces) socket.write(piece);
  return { socket, ended: new Promise<string>((resolve) => socket.once('close', () => resolve(received))) };
}

/** Logs in from an address; resolves how it ended. */
async function tryLogin(
  scope: Scope,
  server: TestServer,
  from: string,
  privateKey = server.login.privateKey!,
  username = 'acme',
) {
  const sock: Socket = connectSocket({ port: server.port, host: '127.0.0.1', localAddress: from });
  sock.on('error', () => {});
  return connect(scope, { ...server.login, sock, privateKey, username }).then(
    (client) => {
      client.end();
      return 'in';
    },
    () => 'out',
  );
}

const oneExempt = { exemptAddresses: ['127.0.0.1'] };

test('wrong keys and broken protocol bring a penalty for their address alone', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, oneExempt, logger, stoppedClock());
  const unknownKey = newKeyPair().private;
  const atOnce = <T>(visits: number, make: () => Promise<T>) => Promise.all(Array.from({ length: visits }, make));
  const guesses = await atOnce(8, () => tryLogin(t, server, '127.0.0.2', unknownKey));
  assert.deepEqual(new Set(guesses), new Set(['out']));
  await until(() => lines.some((line) => line.includes('penalty for an address')), 'the penalty');
  assert.match(
    await visit(t, server.port, '127.0.0.2').ended,
    /^Too many failed logins from this address: try again in \d+ s\.\r\n$/,
  );
  assert.equal(await tryLogin(t, server, '127.0.0.2'), 'out', 'not with the right key either');
  const hasPenalty = (from: string) =>
    lines.some((line) => line.includes('penalty for an address') && line.includes(from));
  await atOnce(8, () => visit(t, server.port, '127.0.0.3', 'GET / HTTP/1.1\r\n\r\n').ended);
  await until(() => hasPenalty('127.0.0.3'), 'the penalty of a scanner');
  const packet = Buffer.concat([Buffer.from('SSH-2.0-Test\r\n'), Buffer.alloc(64, 0xff)]);
  await atOnce(8, () => visit(t, server.port, '127.0.0.4', packet).ended);
  await until(() => hasPenalty('127.0.0.4'), 'the penalty of a fuzzer');
  // Others, and the exempt one whatever it does.
  assert.equal(await tryLogin(t, server, '127.0.0.5'), 'in');
  await atOnce(8, () => tryLogin(t, server, '127.0.0.1', unknownKey));
  assert.equal(await tryLogin(t, server, '127.0.0.1'), 'in');
  const { count } = (await server.control.read('penalties').count({ count: '*' }).first()) as { count: number };
  assert.ok(count <= 3);
  const told = lines.filter((line) => line.includes('the address has a penalty'));
  assert.ok(told.length <= 2, `a flood takes a line a minute, not ${told.length}`);
});

test('a login that came from there lately gives an address more patience', async (t) => {
  const server = await startTestServer(t, oneExempt);
  const unknownKey = newKeyPair().private;
  assert.equal(await tryLogin(t, server, '127.0.0.2'), 'in');
  for (let count = 0; count < 10; count++) assert.equal(await tryLogin(t, server, '127.0.0.2', unknownKey), 'out');
  assert.equal(await tryLogin(t, server, '127.0.0.2'), 'in');
});

test('one customer with wrong keys locks no other customer of the address out', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, { ...oneExempt, contact: 'help@example.test' }, logger, stoppedClock());
  await server.addOrg('globex');
  await allowKey(server.control, 'globex', server.key);
  assert.equal(await tryLogin(t, server, '127.0.0.2'), 'in');
  const unknownKey = newKeyPair().private;
  const guess = () => tryLogin(t, server, '127.0.0.2', unknownKey, 'initech');
  const guesses = await Promise.all(Array.from({ length: 15 }, guess));
  assert.deepEqual(new Set(guesses), new Set(['out']));
  await until(() => lines.some((line) => line.includes('127.0.0.2 initech')), 'the penalty of that user');
  assert.equal(await tryLogin(t, server, '127.0.0.2'), 'in', 'a key that logged in from there');
  assert.equal(await tryLogin(t, server, '127.0.0.2', undefined, 'globex'), 'in', 'another, for the first time');
  assert.equal(await guess(), 'out');
  assert.ok(lines.some((line) => line.includes('not checked, after too many failed logins')));
  const rows = await server.control.read('penalties').select('source');
  assert.ok(!rows.some(({ source }) => source === '127.0.0.2'), 'the address itself has none');
});

test('all customers of an address may log in at one moment', async (t) => {
  const server = await startTestServer(t, { ...oneExempt, maxUnauthenticatedPerAddress: 4 });
  const ids = Array.from({ length: 9 }, (_, index) => `org${index}`);
  for (const id of ids) {
    await server.addOrg(id);
    await allowKey(server.control, id, server.key);
  }
  assert.equal(await tryLogin(t, server, '127.0.0.2'), 'in');
  // Known or not: those beyond the limit of any address wait for their turn.
  const first = ids.map((id) => tryLogin(t, server, '127.0.0.2', undefined, id));
  assert.deepEqual(new Set(await Promise.all(first)), new Set(['in']));
  const again = [...ids, ...ids].map((id) => tryLogin(t, server, '127.0.0.2', undefined, id));
  assert.deepEqual(new Set(await Promise.all(again)), new Set(['in']));
});

test('half-open connections are capped for each address, and end by the deadline however they send', async (t) => {
  const server = await startTestServer(t, { ...oneExempt, maxUnauthenticatedPerAddress: 3, loginSeconds: 4 });
  const open = Array.from({ length: 3 }, () => visit(t, server.port, '127.0.0.2'));
  await Promise.all(open.map(({ socket }) => new Promise((resolve) => socket.once('data', resolve))));
  assert.match(await visit(t, server.port, '127.0.0.2').ended, /^Too many connections of this address/, 'the fourth');
  assert.equal(await tryLogin(t, server, '127.0.0.5'), 'in', 'another address');
  const slow = visit(t, server.port, '127.0.0.3');
  const timer = setInterval(() => slow.socket.write('S'), 50);
  t.after(() => clearInterval(timer));
  assert.equal(await slow.ended, 'SSH-2.0-Dropslot\r\n');
  for (const { ended } of open) assert.equal(await ended, 'SSH-2.0-Dropslot\r\n');
});

test('when unknown clients hold every slot, an address that logged in lately still gets one', async (t) => {
  const server = await startTestServer(t, {
    ...oneExempt,
    maxUnauthenticated: 6,
    maxUnauthenticatedPerAddress: 2,
    loginSeconds: 120,
  });
  assert.equal(await tryLogin(t, server, '127.0.0.9'), 'in');
  const held = new Set<Socket>();
  await until(() => {
    const from = `127.0.1.${1 + Math.floor(Math.random() * 200)}`;
    const { socket } = visit(t, server.port, from);
    socket.once('data', () => held.add(socket)).once('close', () => held.delete(socket));
    return held.size === 6;
  }, 'all places to be taken');
  assert.match(await visit(t, server.port, '127.0.2.1').ended, /^(Too many clients connect at once: .*\r\n)$/);
  assert.equal(await tryLogin(t, server, '127.0.0.9'), 'in');
});

test('addresses and hours of an organization: refused like a wrong key, and the audit trail says why', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, {}, logger);
  const set = (options: object) => updateOrg(server.control.write, 'acme', { options });
  await set({ addresses: ['127.0.0.2/32'] });
  assert.deepEqual([await tryLogin(t, server, '127.0.0.2'), await tryLogin(t, server, '127.0.0.1')], ['in', 'out']);
  const day = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'][(new Date().getUTCDay() + 9) % 7]; // three days away
  await set({ hours: `${day} 00:00-24:00` });
  assert.equal(await tryLogin(t, server, '127.0.0.2'), 'out');
  await set({ hours: '00:00-24:00' });
  assert.equal(await tryLogin(t, server, '127.0.0.2'), 'in');
  const refusals = () => listAudit(server.control.read, 'acme');
  await until(
    async () => (await refusals()).filter(({ action }) => action === 'login.refused').length === 2,
    'two refusals',
  );
  const reasons = (await refusals())
    .filter(({ action }) => action === 'login.refused')
    .map(({ detail }) => detail.reason);
  assert.deepEqual(reasons, ['address not allowed for this organization', 'outside the hours of this organization']);
  assert.equal(lines.filter((line) => line.includes('login refused')).length, 2);
  // Who is in when its address is no longer allowed is put out.
  const client = await connect(t, server.login);
  const closed = new Promise((resolve) => client.on('error', () => {}).once('close', () => resolve(null)));
  await set({ addresses: ['192.0.2.0/24'] });
  await closed;
});

test('sessions and handles of an organization are capped over all its connections', async (t) => {
  const server = await startTestServer(t);
  await updateOrg(server.control.write, 'acme', { options: { maxSessions: 2, maxHandles: 3 } });
  const [one, two] = [await connect(t, server.login), await connect(t, server.login)];
  const [first, second] = [await openSftp(one), await openSftp(two)];
  await assert.rejects(openSftp(one));
  const open = (sftp: typeof first, name: string) =>
    new Promise<Buffer>((resolve, reject) =>
      sftp.open(name, 'w', (error, handle) => (error == null ? resolve(handle) : reject(error))),
    );
  const handles = [await open(first, '/a.csv'), await open(second, '/b.csv'), await open(first, '/c.csv')];
  await assert.rejects(open(second, '/d.csv'), /Too many open files/);
  await new Promise((resolve) => first.close(handles[0]!, resolve));
  await open(second, '/d.csv');
  one.end();
  await until(
    async () =>
      openSftp(two).then(
        () => true,
        () => false,
      ),
    'room for another session',
  );
});

interface Protocol {
  rekey(): void;
  ping(): void;
}

test('keys and packets that only cost are not had for nothing', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, { keepaliveSeconds: 60 }, logger);
  const protocolOf = (client: object) => (client as { _protocol: Protocol })._protocol;
  /** A client that gets as far as the login and never logs in. */
  const stay = async (act: (protocol: Protocol) => void) => {
    const client = new ssh2.Client();
    t.after(() => void client.destroy());
    const closed = new Promise<void>((resolve) => client.on('error', () => {}).once('close', () => resolve()));
    client.connect({ ...server.login, authHandler: () => act(protocolOf(client)) as never });
    await closed;
  };
  await stay((protocol) => protocol.rekey());
  await stay((protocol) => {
    for (let count = 0; count < 10_000; count++) protocol.ping();
  });
  const client = await connect(t, server.login);
  const closed = new Promise<void>((resolve) => client.on('error', () => {}).once('close', () => resolve()));
  client.on('handshake', () => setImmediate(() => protocolOf(client).rekey()));
  protocolOf(client).rekey();
  await closed;
  const reasons = lines.map((line) => JSON.parse(line)).filter(({ message }) => message === 'closing connection');
  assert.deepEqual(
    reasons.map(({ reason }) => reason),
    ['a second key exchange before the login', 'too many bytes before the login', 'too many key exchanges'],
  );
});

test('a client that answers nothing is put out', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, { keepaliveSeconds: 0.1 }, logger);
  const client = await connect(t, server.login);
  const { _sock } = client as unknown as { _sock: Socket };
  _sock.pause();
  await until(() => lines.some((line) => line.includes('Keepalive timeout')), 'the client to be missed');
  await until(() => lines.some((line) => line.includes('logged out')), 'its connection to end');
});
