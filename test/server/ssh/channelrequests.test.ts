/** Requests on a channel (RFC 4254, section 5.4) that already serves SFTP, or never will: each gets its answer, and no upload suffers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type ssh2 from 'ssh2';
import { WireWriter } from '../../../keys/wire.js';
import { Random } from '../../fuzz/random.js';
import { sendPayload } from '../../support/packets.js';
import { connect, startTestServer } from '../../support/server.js';
import { keepingLogger, until } from '../../support/session.js';
import type { Scope } from '../../support/temporary.js';
import { openFor, Wire } from '../../support/wire.js';

const none = Buffer.alloc(0);
const text = (...parts: string[]) => Buffer.concat(parts.map((part) => new WireWriter().string(part).finish()));
const numbers = (count: number) => Buffer.alloc(4 * count, 1);

/** Each request of RFC 4254, section 6, of OpenSSH and of PuTTY, with its data. */
const requests: Readonly<Record<string, Buffer>> = {
  subsystem: text('sftp'),
  exec: text('/usr/lib/sftp-server'),
  shell: none,
  env: text('LC_ALL', 'C.UTF-8'),
  'pty-req': Buffer.concat([text('xterm'), numbers(4), text('')]),
  'x11-req': Buffer.concat([Buffer.from([1]), text('MIT-MAGIC-COOKIE-1', '00'), numbers(1)]),
  'window-change': numbers(4),
  'xon-xoff': Buffer.from([1]),
  signal: text('TERM'),
  break: numbers(1),
  'exit-status': numbers(1),
  'auth-agent-req@openssh.com': none,
  'keepalive@openssh.com': none,
  'eow@openssh.com': none,
  'winadj@putty.projects.tartarus.org': none,
  'simple@putty.projects.tartarus.org': none,
  'unknown@example.com': Buffer.alloc(300, 'x'),
};

function channelRequest(channel: number, name: string, wantsReply: boolean): Buffer {
  const head = new WireWriter()
    .u8(98)
    .u32(channel)
    .string(name)
    .u8(wantsReply ? 1 : 0);
  return head.raw(requests[name]!).finish();
}

interface Peer {
  client: ssh2.Client;
  wire: Wire;
  /** The numbers of the channels of every CHANNEL_SUCCESS and CHANNEL_FAILURE. */
  answers: { accepted: number[]; refused: number[] };
  lines: string[];
}

/** Channel 0 serves SFTP, and has an upload open. */
async function startPeer(scope: Scope): Promise<Peer & { handle: Buffer }> {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(scope, {}, logger);
  const client = await connect(scope, server.login);
  const channel = await new Promise<ssh2.ClientChannel>((resolve, reject) =>
    client.subsys('sftp', (error, stream) => (error === undefined ? resolve(stream) : reject(error))),
  );
  const wire = new Wire(channel);
  await wire.initialize();
  const handle = await wire.open('/users.csv', openFor.write | openFor.create | openFor.truncate);
  const answers: Peer['answers'] = { accepted: [], refused: [] };
  const { _handlers } = (client as unknown as { _protocol: { _handlers: Record<string, unknown> } })._protocol;
  _handlers.CHANNEL_SUCCESS = (_self: unknown, recipient: number) => answers.accepted.push(recipient);
  _handlers.CHANNEL_FAILURE = (_self: unknown, recipient: number) => answers.refused.push(recipient);
  return { client, wire, answers, lines, handle };
}

async function finishUpload({ wire, handle, lines }: Peer & { handle: Buffer }): Promise<void> {
  assert.equal((await wire.write(handle, 0, 'User Email\nann@acme.test\n')).code, 0);
  assert.equal((await wire.close(handle)).code, 0);
  assert.doesNotMatch(lines.join(''), /connection failed|TypeError/);
}

for (const name of Object.keys(requests))
  test(`${name} on a channel that serves SFTP is refused, and its upload goes on`, async (t) => {
    const peer = await startPeer(t);
    sendPayload(peer.client, channelRequest(0, name, false));
    sendPayload(peer.client, channelRequest(0, name, true));
    await until(() => peer.answers.refused.length > 0, 'an answer');
    await finishUpload(peer);
    assert.deepEqual(peer.answers, { accepted: [], refused: [0] });
  });

test('another subsystem, on a channel that serves nothing, is refused with and without a reply', async (t) => {
  const peer = await startPeer(t);
  sendPayload(peer.client, new WireWriter().u8(90).string('session').u32(1).u32(65_536).u32(32_768).finish());
  const head = (wantsReply: number) => new WireWriter().u8(98).u32(1).string('subsystem').u8(wantsReply);
  for (const name of ['netconf', 'SFTP', 'sftp ', ''])
    for (const wantsReply of [0, 1]) sendPayload(peer.client, head(wantsReply).string(name).finish());
  await until(() => peer.answers.refused.length === 4, 'the answers');
  await finishUpload(peer);
  assert.deepEqual(peer.answers, { accepted: [], refused: [1, 1, 1, 1] });
});

test('any order of requests on any channel gets one refusal for each that wants a reply', async (t) => {
  const random = new Random(20261128);
  const peer = await startPeer(t);
  // Channel 1 exists and serves nothing; 2 and 0xffffffff do not exist, which ssh2 answered with an exception for the latter.
  sendPayload(peer.client, new WireWriter().u8(90).string('session').u32(1).u32(65_536).u32(32_768).finish());
  let wanted = 0;
  for (let count = 0; count < 400; count++) {
    const channel = random.pick([0, 0, 1, 1, 2, 0xffff_ffff]);
    const names = Object.keys(requests).filter((name) => channel === 0 || name !== 'subsystem');
    const wantsReply = random.oneIn(2);
    if (wantsReply && channel < 2) wanted++;
    sendPayload(peer.client, channelRequest(channel, random.pick(names), wantsReply));
    if (count === 200) sendPayload(peer.client, new WireWriter().u8(96).u32(1).finish());
    if (random.oneIn(20))
      sendPayload(
        peer.client,
        new WireWriter()
          .u8(random.pick([99, 100]))
          .u32(channel)
          .finish(),
      );
  }
  await until(() => peer.answers.refused.length === wanted, 'the answers');
  await finishUpload(peer);
  assert.equal(peer.answers.refused.length, wanted);
  assert.deepEqual(peer.answers.accepted, []);
});

test('a message that ends before its channel number makes no exception', async (t) => {
  for (const type of [91, 92, 93, 94, 95, 96, 97, 98, 99, 100]) {
    const peer = await startPeer(t);
    sendPayload(peer.client, Buffer.from([type, 0, 0]));
    // Whatever the server makes of it, the next request is answered or the connection is closed.
    sendPayload(peer.client, channelRequest(0, 'shell', true));
    const isOver = new Promise((resolve) => peer.client.once('close', () => resolve('closed')));
    await Promise.race([isOver, until(() => peer.answers.refused.length > 0, 'an answer')]);
    assert.deepEqual(
      peer.lines.filter((line) => /Invalid channel id|TypeError/.test(line)),
      [],
      String(type),
    );
  }
});
