/** Who gets in, and what those see who don't. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2, { type ConnectConfig, type ParsedKey } from 'ssh2';
import { insertLoginKey, revokeLoginKey } from '../../../db/control/keys.js';
import { listAttempts } from '../../../db/control/loginattempts.js';
import { updateOrg } from '../../../db/control/orgs.js';
import { generatePassword } from '../../../keys/login/password.js';
import { allowKey, type KeyPair, newKeyPair } from '../../support/keys.js';
import { connect, openSftp, startTestServer } from '../../support/server.js';
import { keepingLogger, until } from '../../support/session.js';

/** What the server answers to each authentication request, until it lets the client in or closes. */
function authAnswers(login: ConnectConfig): Promise<string[]> {
  const answers: string[] = [];
  const client = new ssh2.Client();
  const debug = (line: string) => {
    const answer = /Inbound: Received (USERAUTH_\w+.*)$/.exec(line)?.[1];
    if (answer !== undefined) answers.push(answer);
  };
  return new Promise((resolve) => {
    client
      .on('error', () => {})
      .on('ready', () => client.end())
      .on('close', () => resolve(answers));
    client.connect({ ...login, debug });
  });
}

/** A socket that speaks no SSH by itself; resolves `closed` with what the server sent. */
function rawSocket(port: number): { socket: Socket; closed: Promise<string> } {
  const socket = connectSocket(port, '127.0.0.1');
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  return { socket, closed: new Promise((resolve) => socket.once('close', () => resolve(received))) };
}

for (const type of ['ed25519', 'ecdsa', 'rsa'] as const) {
  test(`a key of type ${type} logs in`, async (t) => {
    const server = await startTestServer(t);
    const pair = newKeyPair(type);
    await allowKey(server.control, 'acme', pair);
    const client = await connect(t, { ...server.login, privateKey: pair.private });
    await openSftp(client);
  });
}

/** Signs after `wait`. */
class SlowAgent extends ssh2.BaseAgent {
  readonly #key: ParsedKey;
  readonly #wait: () => Promise<unknown>;

  constructor({ private: pem }: KeyPair, wait: () => Promise<unknown>) {
    super();
    this.#key = ssh2.utils.parseKey(pem) as ParsedKey;
    this.#wait = wait;
  }

  override getIdentities(done: (error: undefined, keys: ParsedKey[]) => void): void {
    done(undefined, [this.#key]);
  }

  override sign(
    _key: unknown,
    data: Buffer,
    options: unknown,
    done?: (error: undefined, signature: Buffer) => void,
  ): void {
    const answer = done ?? (options as NonNullable<typeof done>);
    void this.#wait().then(() => answer(undefined, this.#key.sign(data) as Buffer));
  }
}

for (const [when, pauseMs] of [
  ['right before its signature', 0],
  ['before a late signature', 600],
] as const)
  test(`a key that is revoked ${when}, after it was offered, gets in for a moment at most`, async (t) => {
    const server = await startTestServer(t);
    const agent = new SlowAgent(server.key, async () => {
      await revokeLoginKey(server.control.write, 'acme', server.key.public.fingerprint, Date.now());
      await sleep(pauseMs);
    });
    const { privateKey: _, ...login } = server.login;
    const client = connect(t, { ...login, agent });
    // Within a pause that is short the offer counts; the review of open logins ends it.
    if (pauseMs > 0) await assert.rejects(client, /authentication methods failed/);
    else {
      const outcome = await client.catch(() => null);
      if (outcome !== null) await once(outcome, 'close');
    }
  });

test('unknown organization, disabled organization, wrong key and revoked key get the same answers', async (t) => {
  const server = await startTestServer(t);
  await server.addOrg('globex');
  await allowKey(server.control, 'globex', server.key);
  await updateOrg(server.control.write, 'globex', { enabled: false });
  const wrongKey = await authAnswers({ ...server.login, privateKey: newKeyPair().private });
  // ssh2 asks for `none` first, and may have a password only.
  assert.deepEqual(wrongKey, ['USERAUTH_BANNER', 'USERAUTH_FAILURE (publickey)', 'USERAUTH_FAILURE (publickey)']);
  assert.deepEqual(await authAnswers({ ...server.login, username: 'globex' }), wrongKey);
  assert.deepEqual(await authAnswers({ ...server.login, username: 'nobody' }), wrongKey);
  assert.deepEqual(await authAnswers({ ...server.login, username: "x' OR 1=1 --" }), wrongKey);
});

test('nothing but a public key is offered or taken', async (t) => {
  const server = await startTestServer(t);
  const { host, port } = server;
  const answers = await authAnswers({ host, port, username: 'acme', password: 'secret', tryKeyboard: true });
  assert.deepEqual(new Set(answers), new Set(['USERAUTH_BANNER', 'USERAUTH_FAILURE (publickey)']));
});

test('if any organization has a password all clients are offered password login, and no answer reveals which has one', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, {}, logger);
  await server.addOrg('globex');
  const { host, port } = server;
  const { fingerprint, text, secret } = await generatePassword();
  const row = { org: 'acme', kind: 'password', fingerprint, algorithm: 'scrypt', publicKey: '', secret } as const;
  await insertLoginKey(server.control.write, { ...row, label: '', sources: [], expiresAt: null, createdAt: 0 });
  const wrong = `${text.slice(0, -1)}1`;
  const tries: [string, string][] = [
    ['acme', wrong],
    ['acme', 'hunter2'],
    ['globex', text],
    ['nobody', text],
  ];
  const [first, ...others] = await Promise.all(
    tries.map(([username, password]) => authAnswers({ host, port, username, password })),
  );
  assert.deepEqual(new Set(first), new Set(['USERAUTH_FAILURE (publickey,password)']));
  for (const other of others) assert.deepEqual(other, first);
  const right = await authAnswers({ host, port, username: 'acme', password: text });
  assert.equal(right.at(-1), 'USERAUTH_SUCCESS');
  assert.ok(
    !lines.some((line) => line.includes('hunter2') || line.includes(text.slice(9, 40))),
    'what was typed is not logged',
  );
});

test('who guesses a password and does not wait for the answer has guessed all the same', async (t) => {
  const { logger, lines } = keepingLogger();
  const at = Date.now(); // standing still: no point is forgotten, however slow the machine is
  const server = await startTestServer(t, { exemptAddresses: [] }, logger, () => at);
  const { host, port } = server;
  const { fingerprint, text, secret } = await generatePassword();
  const row = { org: 'acme', kind: 'password', fingerprint, algorithm: 'scrypt', publicKey: '', secret } as const;
  await insertLoginKey(server.control.write, { ...row, label: '', sources: [], expiresAt: null, createdAt: 0 });
  const wrong = `${text.slice(0, -1)}1`;
  const hasPenalty = () =>
    lines.some((line) => /penalty for an address.*wrong keys|wrong keys.*penalty for an address/.test(line));
  for (let guess = 0; guess < 8 && !hasPenalty(); guess++) {
    const client = new ssh2.Client().on('error', () => {});
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    const debug = (line: string) => {
      if (/Outbound: Sending USERAUTH_REQUEST \(password\)/.test(line)) setImmediate(() => client.end());
    };
    client.connect({ host, port, username: 'acme', password: wrong, authHandler: ['password'], debug });
    await closed;
  }
  await until(hasPenalty, 'the penalty', 30_000);
});

test('a refusal is logged with its reason, the key and the client, once for each key', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, {}, logger);
  const unknownKey = newKeyPair();
  await assert.rejects(connect(t, { ...server.login, privateKey: unknownKey.private }));
  await assert.rejects(connect(t, { ...server.login, username: 'My Secret!' }));
  const refusals = lines.filter((line) => line.includes('login refused')).map((line) => JSON.parse(line));
  assert.deepEqual(
    refusals.map(({ user, key, reason }) => ({ user, key, reason })),
    [
      { user: 'acme', key: unknownKey.public.fingerprint, reason: 'unknown key' },
      { user: '(no organization id)', key: server.key.public.fingerprint, reason: 'unknown organization' },
    ],
  );
  assert.match(refusals[0].client, /^ssh2js/);
  assert.equal(refusals[0].address, '127.0.0.1');
});

test('a login is noted at its key', async (t) => {
  const server = await startTestServer(t);
  await connect(t, server.login);
  const used = () => server.control.read('login_keys').first('last_used_from', 'last_used_client');
  let row = await used();
  for (const deadline = performance.now() + 60_000; row.last_used_from === null && performance.now() < deadline; )
    row = await used();
  assert.equal(row.last_used_from, '127.0.0.1');
  assert.match(row.last_used_client, /^ssh2js/);
});

test('a client that signs with SHA-1 is refused, and the log says whose it is', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, {}, logger);
  const pair = newKeyPair('rsa');
  await allowKey(server.control, 'acme', pair);
  const client = new ssh2.Client();
  // As a client of 2015 does it: the key's type names the signature, too.
  client.once('handshake', () => {
    const { _protocol } = client as unknown as { _protocol: { authPK(...args: unknown[]): void } };
    const authPK = _protocol.authPK.bind(_protocol);
    _protocol.authPK = (user, key, _algorithm, sign) => authPK(user, key, 'ssh-rsa', sign);
  });
  const outcome = new Promise((resolve) =>
    client.on('ready', () => resolve('in')).on('error', () => resolve('refused')),
  );
  client.connect({ ...server.login, privateKey: pair.private });
  assert.equal(await outcome, 'refused');
  const line = lines.find((text) => text.includes('SHA-1')) ?? '';
  assert.match(line, /"user":"acme"/);
  assert.ok(line.includes(pair.public.fingerprint) && line.includes('ssh2js'), line);
});

test('the last attempts with each key are kept, refused ones with their reason', async (t) => {
  const server = await startTestServer(t);
  const [strange, expired, elsewhere] = [newKeyPair(), newKeyPair(), newKeyPair()];
  await allowKey(server.control, 'acme', expired, { expiresAt: 1 });
  await allowKey(server.control, 'acme', elsewhere, { sources: ['192.0.2.0/24'] });
  await connect(t, server.login);
  for (const { private: privateKey } of [strange, expired, elsewhere])
    await assert.rejects(connect(t, { ...server.login, privateKey }));
  await assert.rejects(connect(t, { ...server.login, username: 'nobody' }));
  const all = () => listAttempts(server.control.read, { org: 'acme', withUnknown: true, limit: 99 });
  await until(async () => (await all()).length === 4, 'four attempts', 60_000);
  const own = (await all()).filter(({ credential }) => credential !== null);
  assert.deepEqual(
    new Set((await all()).map(({ fingerprint, reason }) => `${fingerprint} ${reason}`)),
    new Set([
      `${server.key.public.fingerprint} null`,
      `${strange.public.fingerprint} unknown key`,
      `${expired.public.fingerprint} expired key`,
      `${elsewhere.public.fingerprint} address not allowed for this key`,
    ]),
  );
  assert.equal(own.length, 3);
  assert.ok(own.every(({ address, client }) => address === '127.0.0.1' && client!.startsWith('ssh2js')));
});

test('one connection offers a bounded number of keys', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, { loginAttempts: 3 }, logger);
  const keys = Array.from({ length: 8 }, () => newKeyPair().private);
  const client = new ssh2.Client();
  let offered = 0;
  const closed = new Promise((resolve) => client.on('error', () => {}).on('close', () => resolve(null)));
  client.connect({
    ...server.login,
    authHandler: () => ({ type: 'publickey', username: 'acme', key: keys[offered++]! }),
  });
  await closed;
  assert.equal(lines.filter((line) => line.includes('login refused')).length, 3);
  assert.ok(lines.some((line) => line.includes('too many login attempts')));
});

test('a database that can not be asked ends that connection only, whatever the client tries first', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, {}, logger);
  const { host, port, username, privateKey } = server.login;
  await server.control.write.schema.renameTable('login_keys', 'away');
  // Many clients ask for no list of methods, and show their key at once.
  const key = { type: 'publickey', username: username!, key: privateKey as string } as const;
  assert.deepEqual(await authAnswers({ host, port, username: username!, authHandler: [key] }), []);
  assert.deepEqual(await authAnswers(server.login), []);
  assert.ok(lines.some((line) => line.includes('could not check a login')));
  await server.control.write.schema.renameTable('away', 'login_keys');
  await connect(t, server.login);
});

test('a login that can not be recorded in the audit trail is ended', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, {}, logger);
  await server.control.write.schema.renameTable('audit', 'away');
  const client = await connect(t, server.login);
  await new Promise<void>((resolve) => client.once('close', () => resolve()));
  assert.ok(lines.some((line) => line.includes('could not record a login in the audit trail')));
});

test('a connection that does not log in is closed, at any stage', async (t) => {
  const server = await startTestServer(t, { loginSeconds: 1 });
  const silent = rawSocket(server.port);
  const identified = rawSocket(server.port);
  identified.socket.write('SSH-2.0-Test\r\n');
  assert.equal(await silent.closed, 'SSH-2.0-Dropslot\r\n');
  assert.match(await identified.closed, /^SSH-2\.0-Dropslot\r\n/);
  const client = new ssh2.Client();
  const closed = new Promise((resolve) => client.on('error', () => {}).on('close', () => resolve(null)));
  // Past the handshake, and then nothing.
  client.connect({ ...server.login, authHandler: () => undefined as never });
  await closed;
});

test('what is no SSH client is turned away, and the server goes on', async (t) => {
  const server = await startTestServer(t);
  const talk = async (bytes: string | Buffer) => {
    const { socket, closed } = rawSocket(server.port);
    socket.write(bytes);
    return closed;
  };
  await talk('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await talk('x'.repeat(10_000));
  await talk('SSH-1.5-old\r\n');
  // A packet whose length is nonsense, before any login.
  await talk(Buffer.concat([Buffer.from('SSH-2.0-Test\r\n'), Buffer.alloc(64, 0xff)]));
  await connect(t, server.login);
});

test('the identification may come byte by byte', async (t) => {
  const server = await startTestServer(t);
  const socket = connectSocket({ port: server.port, host: '127.0.0.1', noDelay: true });
  const write = socket.write.bind(socket);
  socket.write = ((line: Buffer) => {
    Reflect.deleteProperty(socket, 'write');
    for (const byte of line) write(Buffer.from([byte]));
    return true;
  }) as typeof socket.write;
  await connect(t, { ...server.login, sock: socket });
});

test('a key that is not stored as it is offered does not log in', async (t) => {
  const server = await startTestServer(t);
  const other = newKeyPair();
  const { fingerprint, algorithm } = other.public;
  const row = { org: 'acme', fingerprint, algorithm, publicKey: server.key.public.publicKey };
  await insertLoginKey(server.control.write, { ...row, label: '', sources: [], expiresAt: null, createdAt: 0 });
  await assert.rejects(connect(t, { ...server.login, privateKey: other.private }));
});

test('each policy offers its own algorithms', async (t) => {
  const server = await startTestServer(t, { listen: ['127.0.0.1:0', '127.0.0.1:0/compatible'] });
  const portOf = Object.fromEntries(server.listeners.map(({ policy, port }) => [policy, port]));
  const tryOn = async (policy: 'modern' | 'compatible', algorithms: ConnectConfig['algorithms'], ident?: string) =>
    connect(t, { ...server.login, port: portOf[policy]!, algorithms, ...(ident === undefined ? {} : { ident }) }).then(
      (client) => {
        client.end();
        return 'in';
      },
      (error: Error) => (/no matching/i.test(error.message) ? 'nothing in common' : error.message),
    );
  const everywhere: ConnectConfig['algorithms'][] = [
    { kex: ['diffie-hellman-group16-sha512'] },
    { cipher: ['chacha20-poly1305@openssh.com'] },
    { cipher: ['aes256-ctr'], hmac: ['hmac-sha2-256-etm@openssh.com'] },
  ];
  const outdated: ConnectConfig['algorithms'][] = [
    { kex: ['ecdh-sha2-nistp256'], serverHostKey: ['ecdsa-sha2-nistp256'] },
    { cipher: ['aes256-ctr'], hmac: ['hmac-sha2-256'] },
  ];
  const onCompatible: ConnectConfig['algorithms'][] = [
    { kex: ['diffie-hellman-group14-sha256'] },
    { kex: ['diffie-hellman-group14-sha1'] },
    { cipher: ['aes128-ctr'], hmac: ['hmac-sha1'] },
  ];
  const nowhere: ConnectConfig['algorithms'][] = [
    { kex: ['diffie-hellman-group1-sha1'] },
    { cipher: ['aes128-cbc'] },
    { cipher: ['aes128-ctr'], hmac: ['hmac-md5'] },
    { serverHostKey: ['ssh-rsa'] },
    { compress: ['zlib@openssh.com'] },
  ];
  for (const algorithms of [...everywhere, ...outdated, ...onCompatible])
    assert.equal(await tryOn('compatible', algorithms), 'in', JSON.stringify(algorithms));
  for (const algorithms of everywhere) assert.equal(await tryOn('modern', algorithms), 'in');
  for (const algorithms of [...outdated, ...onCompatible, ...nowhere])
    assert.equal(await tryOn('modern', algorithms), 'nothing in common', JSON.stringify(algorithms));
  for (const algorithms of nowhere) assert.equal(await tryOn('compatible', algorithms), 'nothing in common');
  // Named old clients get what they need, and no more.
  for (const ident of ['libssh2_1.10.0', 'JSCH-0.1.54']) {
    for (const algorithms of outdated) assert.equal(await tryOn('modern', algorithms, ident), 'in', ident);
    for (const algorithms of onCompatible)
      assert.equal(await tryOn('modern', algorithms, ident), 'nothing in common', ident);
  }
  assert.equal(await tryOn('modern', outdated[0], 'libssh2_1.11.0'), 'nothing in common');
});
