/** The post-quantum key exchange on its own: ssh2's file as we know it, a client of our own, and clients that cheat. */
import assert from 'node:assert/strict';
import { createHash, createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import type { Client, KexAlgorithm } from 'ssh2';
import { policies } from '../../../server/ssh/algorithms.js';
import {
  agreeX25519,
  answerHybrid,
  combineSecrets,
  exportX25519,
  initBytes,
  replyBytes,
} from '../../../server/ssh/mlkemx25519.js';
import { type Exchange, loadTransport, postQuantumKex, quicken } from '../../../server/ssh/postquantum.js';
import { connect as connectPlain, startTestServer } from '../../support/server.js';
import type { Scope } from '../../support/temporary.js';

/** The client's half. */
interface Asking {
  init: Buffer;
  finish(reply: Buffer): Buffer;
}

function ask(): Asking {
  const lattice = ml_kem768.keygen();
  const curve = generateKeyPairSync('x25519');
  return {
    init: Buffer.concat([lattice.publicKey, exportX25519(curve.publicKey)]),
    finish: (reply) => {
      assert.equal(reply.length, replyBytes);
      const postQuantum = ml_kem768.decapsulate(reply.subarray(0, -32), lattice.secretKey);
      return combineSecrets(postQuantum, agreeX25519(curve.privateKey, reply.subarray(-32)));
    },
  };
}

/** ssh2's client with this key exchange and no other; `change` is what a cheat does to its message. */
function connect(scope: Scope, login: object, change: (init: Buffer) => Buffer = (init) => init): Client {
  const extend = (exchange: Exchange): Exchange => {
    const asking = ask();
    return Object.assign(exchange, {
      convertPublicKey: (received: Buffer) => received,
      computeSecret: (received: Buffer) => asking.finish(received),
      getPublicKey: () => change(asking.init),
    });
  };
  const client = new (loadTransport({ extend }).ssh2.Client)();
  scope.after(() => void client.destroy());
  client.on('error', () => {});
  return client.connect({ ...login, algorithms: { kex: [postQuantumKex as KexAlgorithm] } });
}

test('the installed ssh2 is the one that we extend; another one is left alone', () => {
  const known = loadTransport();
  assert.deepEqual([known.kex, known.lacking], [[postQuantumKex], null]);
  assert.equal(loadTransport().ssh2, known.ssh2, 'loaded once');
  const unknown = loadTransport({ digest: '0'.repeat(64) });
  assert.deepEqual(unknown.kex, []);
  assert.match(unknown.lacking!, /kex\.js is not the one/);
  for (const { algorithms } of Object.values(policies))
    assert.ok(!(algorithms.kex as string[]).includes(postQuantumKex), 'ssh2 as it is would not start with it');
});

test('a client of our own agrees on a key, logs in, and does so again', async (t) => {
  const server = await startTestServer(t);
  const client = connect(t, server.login);
  const [{ kex }] = (await once(client, 'handshake')) as [{ kex: string }];
  assert.equal(kex, postQuantumKex);
  await once(client, 'ready');
  const again = once(client, 'handshake');
  (client as unknown as { _protocol: { rekey(): void } })._protocol.rekey();
  assert.equal(((await again) as [{ kex: string }])[0].kex, postQuantumKex);
  client.end();
});

const zeroPoint = Buffer.alloc(32);
/** Of order 8 (RFC 7748, section 7; its secret is zero with every key). */
const smallPoint = Buffer.from('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'hex');

const cheats: [what: string, change: (init: Buffer) => Buffer][] = [
  ['nothing', () => Buffer.alloc(0)],
  ['a byte less', (init) => init.subarray(1)],
  ['a byte more', (init) => Buffer.concat([init, Buffer.from([0])])],
  ['X25519 alone', (init) => init.subarray(-32)],
  ['the zero point', (init) => Buffer.concat([init.subarray(0, -32), zeroPoint])],
  ['a point of small order', (init) => Buffer.concat([init.subarray(0, -32), smallPoint])],
  ['numbers beyond the modulus', (init) => Buffer.concat([Buffer.alloc(3, 0xff), init.subarray(3)])],
  // 3329 itself, as the second number of the last pair.
  ['the modulus', (init) => Buffer.concat([init.subarray(0, 1149), Buffer.from('0010d0', 'hex'), init.subarray(1152)])],
];

test('what is no pair of keys ends the connection, and no other', async (t) => {
  const server = await startTestServer(t);
  for (const [what, change] of cheats) {
    const client = connect(t, server.login, change);
    let isReady = false;
    client.once('ready', () => {
      isReady = true;
    });
    await new Promise<void>((resolve) => client.once('close', () => resolve()));
    assert.equal(isReady, false, what);
    assert.throws(() => answerHybrid(change(ask().init)), Error, what);
  }
  await once(connect(t, server.login), 'ready');
});

test('a changed key in the message is noticed by the signature or by the secret', async (t) => {
  const server = await startTestServer(t);
  const { init, finish } = ask();
  const { reply, secret } = answerHybrid(init);
  assert.deepEqual([init.length, reply.length, finish(reply)], [initBytes, replyBytes, secret]);
  const turned = Buffer.from(reply);
  turned[5]! ^= 1;
  assert.notDeepEqual(finish(turned), secret);
  // A client whose hash covers another message than the server received refuses its signature.
  let sent = 0;
  const client = connect(t, server.login, (own) =>
    sent++ === 0 ? own : Buffer.concat([own.subarray(1), own.subarray(0, 1)]),
  );
  const [error] = (await once(client, 'error')) as [Error];
  assert.match(error.message, /signature verification failed/);
});

/**
 * Made with OpenSSL 3.5.8: the ML-KEM-768 key of the seed 00 01 … 3f, a ciphertext to it, and its secret. The X25519 keys are
 * those of RFC 7748, section 6.1.
 */
const vector = {
  publicKeySha256: '0b7934c83125c788995e2ba6bd761e33046b3e40571be53e023309a29f398cc9',
  ciphertext: [
    'fm6iiqI6of3WnORaZI7MfI4QbzFlvbF+KBhsLbs1FHgys8fJue0Nkiuln2WuLHr1bl/MIZqE7d1KFQrfGAAIymjmx7MRLO0ldfaKyi7xUC3met',
    'cx0jgLmYFAMPfDWoX2I6rzeoJYOmJid3ePfKc+pPbUv6wpujvENSk0r/UIhq5bpkcrbhoVaeUtXVJSDoscbO0ZPizhYG65B7d90x3GwallcfRZ',
    'aSrcdf7yE037CSIHVDu2dQOemYhNXfcswlPmnDzep/aMek4d722d/Mhfhqve7k5Vx3/3+eANVh63du/TNORwHoR9IfbX0dHTWKygs0Wab5ICDC',
    'Z+hFnoCFgIjXSicd+ydmSknnDFUVqdJJD4LGfG9931SFnA7IRBkmCf7Yu2rynCy+3j1m+XxvnexHvfQoVdC1ACCxhhRaX4Wt+Zh9S4RX/7awaN',
    'gWAXLC4rKpcLpgI047XcWc8X4AXHgKqsxB6wNEQp7hzTh2QioAB5Sy2zpAuMc+JPXyItAsamBZod79GrFG2aIulBvMQ/EoE+3773P3PsR92q4z',
    'X4GNXVk2Q3EqQKUTEGZSK1n3MYH5oEAcPlVGG0B5oiZ/5/JnxgpDPKiTbA9d6YBaC3HxYljp1hEX1fs/K90XbIzu1E4IpevUrNKj0zuS7y2TNu',
    'SDgwA0i1WBCk99Ua6byKt490bDqfOWOIhVPPfsdjaZ1IcaACsdfWar97HhCSsaDWakbaB2innvJQwmMbC4vNhI7dvZ9G7yukoTcKWQVbXS4ANl',
    'O/Ez2s6QhsrpBMyhhB8jrgJSVwPAKZjTzMnGk7flTk0LdC5wLC9hM0B/SSrOJwTA6qtNAHWQ1pnLiQUio9U+O8azD4BfBJ33P2qLCdVsDBEAMC',
    'Bdjl7bspco5ZnIyGs6vUwfR4rCeJcBW6mp+zbtqIVQ4UxqRiWStuUvb9FS0KmWm6LVSx7Rkk2bwHa7kWnOzjoUepqBxi07PtbRcftELsd/BDR7',
    'n3xRCRco9oe7cb/wEmrX6BzBYltNqoDxEp14eCpAJjOBPBRkZ+7iJIoUZ25PQfHYJGLLU3tBzKHuV1SrxnP6OyUFx7alviNeWyIlnjoAZDDDy9',
    'nahF7GwUvyBJA1ufMfhOV73O30Ne1Y8DbD6QjO9cM3n9SOw231B8t8wVLFh2YAhb3sKMr6ou8wh/UsCZjBM4Im0cZlnJGpXM+yF9NyPoQHw3Mu',
    'dvdA1WT/tJGVMWqzI+jQYBbTO4aQY77erUPk60xXu18ifllxBqWSXeOEX2uYXw1vOpeGowJb9DAOoBMt0YeUacTF2QITZRRClBVXWw9/E1ZFwZ',
    'ETiffEZSauQxOqEVWHKWNNRTHkP0kGYUD9l/q6k4RrB/9smKywoNA9jtDmIXAwuTO/0nZdPpO2V00j3TG/s+1uNcW9nHRWR2gSigMhl6oSdq4p',
    'l8Zz0/hRSBvrAblbrRZ2A=',
  ].join(''),
  postQuantum: 'c41ae6c78a5f49583db9571ee2a391edbc92b3f11bf994aaeb6186bf697b5ed1',
  alice: '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a',
  bob: 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f',
  classical: '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742',
  secret: 'ce5215e49b44b56aa542131ae52ebe9212c4705fb8f416438599f24ed5d24fee',
};

test('known answers of other implementations', () => {
  const { publicKey, secretKey } = ml_kem768.keygen(Uint8Array.from({ length: 64 }, (_, index) => index));
  assert.equal(createHash('sha256').update(publicKey).digest('hex'), vector.publicKeySha256);
  const postQuantum = ml_kem768.decapsulate(Buffer.from(vector.ciphertext, 'base64'), secretKey);
  assert.equal(Buffer.from(postQuantum).toString('hex'), vector.postQuantum);
  const pkcs8 = Buffer.from(`302e020100300506032b656e04220420${vector.alice}`, 'hex');
  const alice = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const classical = agreeX25519(alice, Buffer.from(vector.bob, 'hex'));
  assert.equal(classical.toString('hex'), vector.classical);
  assert.equal(combineSecrets(postQuantum, classical).toString('hex'), vector.secret);
});

/** The exchange of ssh2 with X25519 alone, as ours computes it. */
function exchangeAlone(): Exchange {
  return quicken({ convertPublicKey: (received) => received } as Exchange);
}

test('X25519 alone: both sides have one secret, as the digits of a positive number', () => {
  const seen = new Set<string>();
  for (let round = 0; round < 20_000 && seen.size < 3; round++) {
    const [ours, theirs] = [exchangeAlone(), generateKeyPairSync('x25519')];
    const secret = ours.computeSecret(exportX25519(theirs.publicKey)) as Buffer;
    const expected = agreeX25519(theirs.privateKey, ours.getPublicKey());
    assert.equal(BigInt(`0x${secret.toString('hex')}`), BigInt(`0x${expected.toString('hex')}`));
    const first = expected[0]!;
    const form = first >= 0x80 ? 'a zero before it' : first === 0 ? 'shorter' : 'as it is';
    const isSigned = (expected.find((byte) => byte !== 0) ?? 0) >= 0x80;
    const digits = expected.subarray(expected.findIndex((byte) => byte !== 0)).length;
    assert.equal(secret.length, digits + (isSigned ? 1 : 0), form);
    seen.add(form);
  }
  assert.equal(seen.size, 3);
});

test('X25519 alone: each exchange has a key of its own, and what is no key is an error', () => {
  const [one, other] = [exchangeAlone(), exchangeAlone()];
  assert.deepEqual(one.getPublicKey(), one.getPublicKey());
  assert.notDeepEqual(one.getPublicKey(), other.getPublicKey());
  const key = other.getPublicKey();
  for (const wrong of [Buffer.alloc(0), key.subarray(1), Buffer.concat([key, Buffer.alloc(1)]), zeroPoint, smallPoint])
    assert.ok(one.computeSecret(wrong) instanceof Error);
  assert.ok(Buffer.isBuffer(one.computeSecret(key)));
});

test('ssh2 as it is agrees with X25519 alone, and does so again', async (t) => {
  const server = await startTestServer(t);
  for (const kex of ['curve25519-sha256', 'curve25519-sha256@libssh.org'] as const) {
    const client = await connectPlain(t, { ...server.login, algorithms: { kex: [kex] } });
    const again = once(client, 'handshake');
    (client as unknown as { _protocol: { rekey(): void } })._protocol.rekey();
    assert.equal(((await again) as [{ kex: string }])[0].kex, kex);
    client.end();
  }
});
