/** Webhooks: signatures that the published library verifies, secrets that rotate, answers, limits, and no way to a private address. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { isPublicAddress } from '../../config/publicaddress.js';
import { findSubscriber, type Subscriber } from '../../db/control/eventsubscribers.js';
import type { Batch, Outcome } from '../../events/deliverer.js';
import { createSecretReader, makeSecret } from '../../events/secrets.js';
import { createPublicLookup, isPrivateHost } from '../../events/webhook/address.js';
import { createWebhookDeliverer, readRetryAfter, type WebhookOptions } from '../../events/webhook/webhook.js';
import { rotateMaster } from '../../operations/masterkey.js';
import { testSubscriber, webhookKind } from '../../operations/subscribers.js';
import { addWebhook, rotateSecret } from '../../operations/webhooks.js';
import { openFresh } from '../support/databases.js';
import { receiveWebhooks } from '../support/webhookreceiver.js';
import { workplaceOn } from '../support/workplace.js';

const secret = makeSecret();
const never = new AbortController().signal;

function batchFor(options: WebhookOptions): Batch {
  const event = {
    ...{
      id: 'evt_1',
      type: 'run.held',
      org: 'acme',
      at: new Date().toISOString(),
      version: 1 as const,
      data: { run: 1 },
    },
  };
  const subscriber = { id: 's', options, secret: 'sealed' } as unknown as Subscriber;
  return { id: 'evt_1', events: [event], body: event, subscriber };
}

const deliver = (
  options: WebhookOptions,
  {
    secrets = [secret],
    ...change
  }: { secrets?: string[] } & Partial<Parameters<typeof createWebhookDeliverer>[0]> = {},
  signal = never,
): Promise<Outcome> =>
  createWebhookDeliverer({ openSecrets: async () => secrets, now: Date.now, version: '1', ...change }).deliver(
    batchFor(options),
    signal,
  );

const open = { allowHttp: true, allowPrivate: true };

test('the published library verifies a request, with each of the secrets and with no other one', async (t) => {
  const { received, url } = await receiveWebhooks(t);
  const old = makeSecret();
  assert.deepEqual(await deliver({ url, ...open }, { secrets: [secret, old] }), {
    result: 'delivered',
    detail: 'HTTP 204',
  });
  const { request, body } = received[0]!;
  const headers = request.headers as Record<string, string>;
  for (const one of [secret, old]) assert.deepEqual(new Webhook(one).verify(body, headers), JSON.parse(body));
  assert.throws(() => new Webhook(makeSecret()).verify(body, headers));
  assert.throws(() => new Webhook(secret).verify(`${body} `, headers));
  assert.equal(headers['webhook-id'], 'evt_1');
  assert.equal(headers['content-type'], 'application/json');
});

test('answers decide: delivered, gone, or again, not before the receiver says', async (t) => {
  const answers: [number, Record<string, string>, Partial<Outcome>][] = [
    [200, {}, { result: 'delivered' }],
    [410, {}, { result: 'gone' }],
    [500, { 'retry-after': '60' }, { result: 'failed', detail: 'HTTP 500' }],
    [429, { 'retry-after': '60' }, { result: 'failed', retryAfterMs: 60_000 }],
    [503, {}, { result: 'failed' }],
    [302, { location: 'http://127.0.0.1:1/' }, { result: 'failed' }],
  ];
  let status = 0;
  let headers: Record<string, string> = {};
  const { url, received } = await receiveWebhooks(t, (_, response) =>
    response.writeHead(status, headers).end('x'.repeat(100)),
  );
  for (const [code, extra, expected] of answers) {
    [status, headers] = [code, extra];
    const outcome = await deliver({ url, ...open });
    assert.deepEqual({ ...outcome, ...expected }, outcome, String(code));
    assert.equal('retryAfterMs' in outcome, expected && 'retryAfterMs' in expected, String(code));
  }
  assert.equal(received.length, answers.length, 'no redirect was followed');
  assert.equal(readRetryAfter('Thu, 01 Jan 1970 00:00:10 GMT', 4_000), 6_000);
  for (const text of [undefined, 'soon', '-1', '0', 'Thu, 01 Jan 1970 00:00:01 GMT'])
    assert.equal(readRetryAfter(text, 4_000), null);
});

test('an endless answer, a receiver that never answers and a stop of the server end', async (t) => {
  const endless = await receiveWebhooks(t, (_, response) => {
    response.writeHead(200);
    const write = () => {
      while (response.writable && response.write('x'.repeat(65_536)));
      response.once('drain', write);
    };
    write();
  });
  assert.deepEqual(await deliver({ url: endless.url, ...open }), { result: 'delivered', detail: 'HTTP 200' });
  const silent = await receiveWebhooks(t, () => {});
  assert.deepEqual(await deliver({ url: silent.url, ...open }, { timeLimitMs: 100 }), {
    result: 'failed',
    detail: 'no answer within 0.1 s',
  });
  const stopping = new AbortController();
  const attempt = deliver({ url: silent.url, ...open }, {}, stopping.signal);
  stopping.abort();
  assert.equal((await attempt).result, 'failed');
});

const privateAddresses = [
  ...['127.0.0.1', '127.255.255.254', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254'],
  ...['0.0.0.0', '100.64.0.1', '192.0.0.1', '192.0.2.1', '198.18.0.1', '198.51.100.7', '203.0.113.7', '224.0.0.1'],
  ...['255.255.255.255', '240.0.0.1', '192.88.99.1', '::1', '::', 'fe80::1', 'fe80::1%1', 'fc00::1', 'fd12:3456::1'],
  ...[
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '2002:7f00:1::1',
  ],
  ...['2001::1', '2001:db8::1', '3fff::1', '5f00::1', '100::1', 'not an address', ''],
];

test('private addresses in every form are not public', () => {
  for (const address of privateAddresses) assert.equal(isPublicAddress(address), false, address);
  for (const address of ['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1'])
    assert.equal(isPublicAddress(address), true, address);
});

test('no URL leads to a private address, however it is written', async (t) => {
  const { received, port } = await receiveWebhooks(t);
  const hosts = [
    ...['127.0.0.1', '2130706433', '0x7f.1', '0177.0.0.1', '127.1', '[::1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]'],
    ...['[64:ff9b::127.0.0.1]', '[2002:7f00:1::]', '0.0.0.0', '0', '[::]', '①②⑦.⓪.⓪.①', '[fe80::1]', '169.254.169.254'],
  ];
  for (const host of hosts) {
    const url = new URL(`http://${host}:${port}/`).href;
    assert.ok(isPrivateHost(new URL(url).hostname), host);
    const outcome = await deliver({ url, allowHttp: true });
    assert.deepEqual(
      outcome,
      { result: 'failed', detail: 'the host has a private address (allowed by --allow-private)' },
      host,
    );
  }
  // Names: every address that they resolve to is looked at, and so is the one that is connected to.
  const resolveTo = (...addresses: string[]) =>
    createPublicLookup((_name, _options, callback) =>
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      ),
    );
  for (const addresses of [['127.0.0.1'], ['10.0.0.1', '::1'], ['::ffff:127.0.0.1'], ['64:ff9b::7f00:1']]) {
    const outcome = await deliver(
      { url: `http://name.test:${port}/`, allowHttp: true },
      { lookup: resolveTo(...addresses) },
    );
    assert.match(outcome.detail, /private address/, addresses.join());
  }
  // A lookup that breaks its word: the connection itself is checked.
  const rebinding = await deliver(
    { url: `http://name.test:${port}/`, allowHttp: true },
    { lookup: (_name, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }] as never) },
  );
  assert.match(rebinding.detail, /private address/);
  assert.equal((await deliver({ url: `http://localhost:${port}/`, allowHttp: true })).result, 'failed');
  assert.match((await deliver({ url: `http://127.0.0.1:${port}/`, allowPrivate: true })).detail, /not https/);
  assert.equal(received.length, 0);
  const mixed = resolveTo('127.0.0.1', '8.8.8.8');
  mixed('name.test', {}, (error, address) => assert.deepEqual([error, address], [null, '8.8.8.8']));
});

test('webhooks are added with checks, sealed, tested and rotated, also over a change of the master key', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const place = await workplaceOn(t, databases.settings);
  await place.makeMaster();
  const { received, url } = await receiveWebhooks(t);
  const refused: [Parameters<typeof addWebhook>[1], RegExp][] = [
    [{ url }, /https/],
    [{ url: 'https://127.0.0.1/' }, /private/],
    [{ url: 'https://localhost/' }, /private/],
    [{ url: 'https://u:p@hr.example/' }, /password/],
    [{ url: 'ftp://hr.example/' }, /https URL/],
    [{ url: 'https://hr.example/', types: 'run.*,runs' }, /"runs" fits no type/],
    [{ url: 'https://hr.example/', include: 'all' }, /personal/],
    [{ url: 'https://hr.example/', org: 'none' }, /no organization/],
  ];
  for (const [options, message] of refused) await assert.rejects(addWebhook(place, options), { message });
  const { id, secret: first } = await addWebhook(place, { url, ...open });
  assert.match(first, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.ok(!JSON.stringify(await databases.control.read('subscribers')).includes(first.slice(6)));
  const verify = (one: string) => {
    const { request, body } = received.at(-1)!;
    return (new Webhook(one).verify(body, request.headers as Record<string, string>) as { type: string }).type;
  };
  assert.equal((await testSubscriber(place, webhookKind, id)).result, 'delivered');
  assert.equal(verify(first), 'webhook.test');
  const { secret: second } = await rotateSecret(place, id, 3_600_000);
  await testSubscriber(place, webhookKind, id);
  assert.equal(verify(first), verify(second));
  await rotateMaster(place);
  const renewed = await workplaceOn(t, databases.settings);
  await testSubscriber(renewed, webhookKind, id);
  assert.equal(verify(second), 'webhook.test');
  const { secret: third } = await rotateSecret(renewed, id, 0);
  await testSubscriber(renewed, webhookKind, id);
  assert.equal(verify(third), 'webhook.test');
  assert.throws(() => verify(second));
  // An old secret ends at its time.
  const sealed = (await findSubscriber(databases.control.read, id))!.secret!;
  const reader = createSecretReader(
    () => renewed.master(),
    () => 0,
  );
  assert.deepEqual(await reader(sealed), [third]);
});
