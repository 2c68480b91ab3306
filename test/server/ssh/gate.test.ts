/** One connection at the reception: no turn is taken for it once it has ended or logged in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import { WireWriter } from '../../../keys/wire.js';
import { createGate } from '../../../server/ssh/gate.js';
import { createTurns, type Turn } from '../../../server/ssh/turns.js';
import { newKeyPair } from '../../support/keys.js';
import { sendPayload } from '../../support/packets.js';
import { connect, startTestServer } from '../../support/server.js';
import { until } from '../../support/session.js';

const source = '192.0.2.7';
const origin = { address: source, source, isExempt: false };
const attempt = { user: 'acme', credential: 'key', kind: 'key' } as const;

for (const end of ['recordEnd', 'recordLogin'] as const)
  test(`an attempt that is judged after ${end} takes no turn`, async () => {
    const turns = createTurns(1);
    const taken: Turn[] = [];
    const gate = createGate(
      {
        ...{ isStranger: () => true, isClosed: () => false, waitMs: () => 0, recordLogin() {}, recordEnd() {} },
        takeTurn() {
          taken.push(turns.take(source));
          return taken.at(-1)!;
        },
      },
      origin,
    );
    assert.equal(await gate.admitAttempt(attempt), 0);
    if (end === 'recordEnd') gate.recordEnd(null, null);
    else gate.recordLogin('acme', 'key');
    void gate.admitAttempt(attempt);
    assert.equal(taken.length, 1);
    await turns.take(source).granted;
  });

/** As `acme`, of a key that no organization has, without a signature. */
function loginRequest(): Buffer {
  const { algorithm, publicKey } = newKeyPair().public;
  const head = new WireWriter().u8(50).string('acme').string('ssh-connection').string('publickey');
  return head.u8(0).string(algorithm).string(Buffer.from(publicKey, 'base64')).finish();
}

test('a client that sends two logins, and is gone before the first is judged, leaves the turn to the next', async (t) => {
  let judged = 0;
  let judge = () => {};
  const isReleased = new Promise<void>((resolve) => {
    judge = resolve;
  });
  const settings = { exemptAddresses: [], maxUnauthenticatedPerAddress: 1 };
  const server = await startTestServer(t, settings, undefined, undefined, undefined, (authenticator) => ({
    ...authenticator,
    async authenticate(...given) {
      if (++judged === 1) await isReleased;
      return authenticator.authenticate(...given);
    },
  }));
  const client = new ssh2.Client().on('error', () => {});
  t.after(() => void client.destroy());
  const sendBoth = () => {
    for (let turn = 0; turn < 2; turn++) sendPayload(client, loginRequest());
  };
  client.connect({ host: server.host, port: server.port, username: 'acme', authHandler: () => sendBoth() });
  await until(() => judged === 1, 'the first is being judged');
  client.destroy();
  await until(() => server.countConnections() === 0, 'the connection has ended');
  judge();
  await connect(t, server.login);
});
