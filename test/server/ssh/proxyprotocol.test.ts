/** The PROXY protocol: what is a header, what is none, and whose address counts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { test } from 'node:test';
import { parseProxyHeader } from '../../../server/ssh/proxyprotocol.js';
import { connect, startTestServer } from '../../support/server.js';
import { keepingLogger, until as untilWithin } from '../../support/session.js';

/** Machines may be slow. */
const until = (holds: () => boolean | Promise<boolean>, what: string) => untilWithin(holds, what, 30_000);

/** Points are forgotten by the second: here they stay. */
function stoppedClock(): () => number {
  const at = Date.now();
  return () => at;
}

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

function binary(command: number, family: number, body: Buffer): Buffer {
  const head = Buffer.from([command, family, body.length >> 8, body.length & 255]);
  return Buffer.concat([signature, head, body]);
}

const ports = Buffer.from([0x12, 0x34, 0, 22]);
const ipv4 = binary(0x21, 0x11, Buffer.concat([Buffer.from([203, 0, 113, 9, 192, 0, 2, 1]), ports]));
const ipv6Body = Buffer.concat([Buffer.from(`20010db8${'0'.repeat(23)}9`, 'hex'), Buffer.alloc(16), ports]);
const whole: [string, Buffer, string | null][] = [
  ['TCP4', Buffer.from('PROXY TCP4 203.0.113.9 192.0.2.1 56324 22\r\n'), '203.0.113.9'],
  ['TCP6', Buffer.from('PROXY TCP6 2001:db8::9 2001:db8::1 56324 22\r\n'), '2001:db8::9'],
  ['UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), null],
  ['UNKNOWN with addresses', Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n'), null],
  ['version 2, IPv4', ipv4, '203.0.113.9'],
  ['version 2, IPv6', binary(0x21, 0x21, ipv6Body), '2001:db8::9'],
  ['version 2, LOCAL', binary(0x20, 0x00, Buffer.alloc(0)), null],
  [
    'version 2 with extensions',
    binary(0x21, 0x11, Buffer.concat([ipv4.subarray(16), Buffer.alloc(200, 4)])),
    '203.0.113.9',
  ],
];
const broken: [string, Buffer][] = [
  ['SSH', Buffer.from('SSH-2.0-x\r\n')],
  ['leading zeros', Buffer.from('PROXY TCP4 203.0.113.9 192.0.2.1 056324 22\r\n')],
  ['a port too high', Buffer.from('PROXY TCP4 203.0.113.9 192.0.2.1 65536 22\r\n')],
  ['the wrong family', Buffer.from('PROXY TCP4 2001:db8::9 2001:db8::1 1 22\r\n')],
  ['an octet too high', Buffer.from('PROXY TCP4 203.0.113.256 192.0.2.1 1 22\r\n')],
  ['a zone', Buffer.from('PROXY TCP6 fe80::1%eth0 fe80::2 1 22\r\n')],
  ['two spaces', Buffer.from('PROXY TCP4  203.0.113.9 192.0.2.1 1 22\r\n')],
  ['more on the line', Buffer.from('PROXY TCP4 203.0.113.9 192.0.2.1 1 22 x\r\n')],
  ['lower case', Buffer.from('proxy TCP4 203.0.113.9 192.0.2.1 1 22\r\n')],
  ['a line without an end', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(200)}`)],
  ['version 3', binary(0x31, 0x11, ipv4.subarray(16))],
  ['another command', binary(0x22, 0x11, ipv4.subarray(16))],
  ['UDP', binary(0x21, 0x12, ipv4.subarray(16))],
  ['a UNIX socket', binary(0x21, 0x31, Buffer.alloc(216))],
  ['too few addresses', binary(0x21, 0x21, ipv4.subarray(16))],
  ['endless extensions', binary(0x21, 0x11, Buffer.alloc(60_000))],
];

test('headers are read strictly, however they are split', () => {
  for (const [name, bytes, address] of whole) {
    const rest = Buffer.concat([bytes, Buffer.from('SSH-2.0-x\r\n')]);
    assert.deepEqual(parseProxyHeader(rest), { address, length: bytes.length }, name);
    for (let length = 0; length < bytes.length; length++)
      assert.equal(parseProxyHeader(rest.subarray(0, length)), null, `${name}, ${length} bytes`);
  }
  for (const [name, bytes] of broken) assert.equal(parseProxyHeader(bytes), 'malformed', name);
});

/** What the server sends until it closes; the header may come in pieces. */
function talk(port: number, localAddress: string, ...pieces: (string | Buffer)[]): Promise<string> {
  const socket = connectSocket({ port, host: '127.0.0.1', localAddress });
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  for (const piece of pieces) socket.write(piece);
  return new Promise((resolve) => socket.once('close', () => resolve(received)));
}

function proxied(port: number, localAddress: string, header: Buffer): Socket {
  const socket = connectSocket({ port, host: '127.0.0.1', localAddress, noDelay: true });
  for (const byte of header) socket.write(Buffer.from([byte]));
  return socket;
}

test('a listed proxy must say whose address it is, and that one counts; no other address may', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, { proxies: ['127.0.0.2/32'], loginSeconds: 60 }, logger, stoppedClock());
  const { port } = server;
  const refusals = () =>
    lines.map((line) => JSON.parse(line)).filter(({ message }) => message.startsWith('connection refused'));
  // A health check that only connects is no news, and leaves nothing open.
  const open = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const before = open();
  const check = connectSocket({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }).end();
  await once(
    check.on('error', () => {}),
    'close',
  );
  await until(() => open() === before, 'the socket to be closed on both sides');
  assert.deepEqual(refusals(), []);
  const sock = proxied(port, '127.0.0.2', ipv4);
  await connect(t, { ...server.login, sock });
  const used = () => server.control.read('login_keys').first('last_used_from');
  await until(async () => (await used()).last_used_from !== null, 'the login to be noted');
  assert.equal((await used()).last_used_from, '203.0.113.9');
  assert.equal(await talk(port, '127.0.0.2', 'SSH-2.0-x\r\n'), '', 'a proxy without a header');
  for (const [name, bytes] of broken) assert.equal(await talk(port, '127.0.0.2', bytes, 'x'.repeat(120)), '', name);
  // From another address it is no identification: refused, before anything else is read.
  assert.equal(await talk(port, '127.0.0.3', ipv4), 'SSH-2.0-Dropslot\r\n');
  await connect(t, server.login);
  assert.deepEqual(
    refusals().map(({ message, address }) => [
      address,
      /^connection refused: (a proxy sent no valid|a PROXY)/.exec(message)?.[1],
    ]),
    [
      ['127.0.0.2', 'a proxy sent no valid'],
      ['127.0.0.3', 'a PROXY'],
    ],
  );
  // Wrong keys through the proxy cost the client's address, and not the proxy's.
  const text = () =>
    lines.map((line) => JSON.parse(line)).filter(({ message }) => message === 'penalty for an address');
  const badVisit = () =>
    talk(port, '127.0.0.2', 'PROXY TCP4 203.0.113.50 192.0.2.1 1 22\r\n', 'GET / HTTP/1.1\r\n\r\n');
  await Promise.all(Array.from({ length: 8 }, badVisit));
  await until(() => text().length > 0, 'the penalty');
  assert.deepEqual(
    text().map(({ source }) => source),
    ['203.0.113.50'],
  );
  assert.match(
    await talk(port, '127.0.0.2', 'PROXY TCP4 203.0.113.50 192.0.2.1 1 22\r\n'),
    /^Too many failed logins from this address: try again in \d+ s\.\r\n$/,
  );
  await connect(t, { ...server.login, sock: proxied(port, '127.0.0.2', whole[1]![1]) });
});
