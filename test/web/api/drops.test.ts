/** Uploads over HTTPS: whole, in ranges, cut off and resumed, with their limits; through the intake of SFTP sessions. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { test } from 'node:test';
import { createSilentLogger } from '../../../config/logger.js';
import { listAudit } from '../../../db/control/audit.js';
import { updateOrg } from '../../../db/control/orgs.js';
import { revokeTokenById } from '../../../operations/tokens.js';
import { listen } from '../../../web/api/listen.js';
import { type Answered, openApi, type TestApi } from '../../support/api.js';

const csv = 'User Email\nli@acme.test\n';
const mebibyte = 1024 * 1024;

function digestOf(bytes: string | Uint8Array): string {
  return `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`;
}

function putter({ ask }: TestApi, token: string, name = 'users.csv') {
  return (body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Answered> =>
    ask(`/orgs/acme/drops/${name}`, {
      method: 'PUT',
      token,
      body,
      headers: { 'content-type': 'text/csv', 'content-length': String(body.length), ...headers },
    });
}

const rangeOf = (from: number, end: number, total: number) => ({
  'content-range': `bytes ${from}-${end - 1}/${total}`,
});

test('a file is queued as one that came by SFTP, and its receipt names the door', async (t) => {
  const api = await openApi(t);
  const { id, secret } = await api.token('upload', 'acme');
  const put = putter(api, secret);
  const taken = await put(csv, { 'repr-digest': digestOf(csv) });
  assert.equal(taken.status, 201, taken.text);
  const { upload, sha256 } = taken.json;
  assert.deepEqual(
    { ...taken.json, upload: 0, sha256: '' },
    { complete: true, upload: 0, path: '/users.csv', size: csv.length, sha256: '', queued: true, door: `token:${id}` },
  );
  assert.equal(taken.headers.get('repr-digest'), digestOf(csv));
  const admin = await api.token('admin');
  const [waits] = (await api.ask('/orgs/acme/queue', { token: admin.secret })).json.items;
  assert.deepEqual(
    [waits.upload, waits.sha256, waits.client, waits.address],
    [upload, sha256, `token:${id}`, '192.0.2.1'],
  );
  const records = await listAudit(api.place.control.read, 'acme');
  assert.ok(records.some(({ actor, action }) => actor === `token:${id}` && action === 'upload.closed'));
  const content = await api.ask('/orgs/acme/files/content?path=/users.csv', { token: admin.secret });
  assert.equal(content.text, csv);

  // The same file again supersedes the first one, and one that must be new is refused.
  assert.equal((await put(csv, { 'if-none-match': '*' })).status, 412);
  assert.equal((await put(csv)).json.queued, true);
  assert.equal((await api.ask('/orgs/acme/queue', { token: admin.secret })).json.items.length, 1);
  const empty = await api.ask('/orgs/acme/drops/empty.csv', { method: 'PUT', token: secret });
  assert.deepEqual([empty.status, empty.json.size, empty.json.queued], [201, 0, true], empty.text);
  const dry = await putter(api, secret, 'dry-run%2Fusers.csv')(csv);
  assert.deepEqual([dry.status, dry.json.path, dry.json.queued], [201, '/dry-run/users.csv', false]);
});

test('the queue of all organizations comes in pages, with the reason of each file that is not queued', async (t) => {
  const api = await openApi(t);
  const [{ secret: of }, { secret: all }] = [await api.token('upload', 'acme'), await api.token('read')];
  for (const name of ['a.csv', 'b.csv', 'notes.bin']) assert.equal((await putter(api, of, name)(csv)).status, 201);
  const found: { path: string; state: string; note: string | null }[] = [];
  let cursor = '';
  do {
    const { status, json } = await api.ask(`/queue?limit=2${cursor}`, { token: all });
    assert.equal(status, 200);
    found.push(...json.items);
    cursor = json.next === null ? '' : `&cursor=${json.next}`;
  } while (cursor !== '');
  assert.deepEqual(
    found.map(({ path, state }) => `${path} ${state}`),
    ['/a.csv queued', '/b.csv queued', '/notes.bin stored'],
  );
  assert.match(found[2]!.note!, /not imported/);
  const own = (await api.ask('/orgs/acme/queue', { token: all })).json.items;
  assert.deepEqual(found, own);
});

test('ranges are kept one by one, and the last one publishes the file', async (t) => {
  const api = await openApi(t);
  const { secret } = await api.token('upload', 'acme');
  const put = putter(api, secret);
  const head = () => api.ask('/orgs/acme/drops/users.csv', { method: 'HEAD', token: secret });
  const whole = Buffer.concat([Buffer.from('User Email\n'), Buffer.alloc(3 * mebibyte, 'a@acme.test\n')]);
  const total = whole.length;
  // A file that is there already hides no upload that waits for its rest.
  await put(csv);
  let at = 0;
  for (const end of [mebibyte, 2 * mebibyte + 17]) {
    const part = await put(whole.subarray(at, end), rangeOf(at, end, total));
    assert.deepEqual([part.status, part.json.offset, part.headers.get('upload-offset')], [202, end, String(end)]);
    at = end;
    const told = await head();
    assert.deepEqual([told.headers.get('upload-offset'), told.headers.get('upload-complete')], [String(end), '?0']);
  }
  const wrong = await put(whole.subarray(at + 1), rangeOf(at + 1, total, total));
  assert.deepEqual(
    [wrong.status, wrong.json.code, wrong.headers.get('upload-offset')],
    [409, 'wrong_offset', String(at)],
  );
  const last = await put(whole.subarray(at), { ...rangeOf(at, total, total), 'repr-digest': digestOf(whole) });
  assert.deepEqual([last.status, last.json.size, last.json.queued], [201, total, true], last.text);
  assert.equal(last.headers.get('repr-digest'), digestOf(whole));
  assert.equal((await head()).headers.get('upload-complete'), '?1');

  // An upload that begins anew does not end with bytes of an earlier one.
  await put(whole.subarray(0, mebibyte), rangeOf(0, mebibyte, total));
  const other = Buffer.alloc(2 * mebibyte, 'b');
  await put(other.subarray(0, mebibyte), rangeOf(0, mebibyte, other.length));
  const again = await put(other.subarray(mebibyte), rangeOf(mebibyte, other.length, other.length));
  assert.equal(again.headers.get('repr-digest'), digestOf(other));

  // After a wrong digest the ranges before are wrong, perhaps: they are not there to be continued.
  await put(whole.subarray(0, mebibyte), rangeOf(0, mebibyte, total));
  const others = { ...rangeOf(mebibyte, total, total), 'repr-digest': digestOf('another') };
  assert.equal((await put(whole.subarray(mebibyte), others)).json.code, 'wrong_digest');
  assert.equal((await head()).headers.get('upload-complete'), '?1');

  await put(whole.subarray(0, mebibyte), rangeOf(0, mebibyte, total));
  const gone = await api.ask('/orgs/acme/drops/users.csv', { method: 'DELETE', token: secret });
  assert.deepEqual(gone.json, { path: '/users.csv', discarded: mebibyte });
  assert.equal((await head()).headers.get('upload-complete'), '?1');
});

test('wrong uploads are refused with the reason, and publish nothing', async (t) => {
  const api = await openApi(t);
  const { secret } = await api.token('upload', 'acme');
  const put = putter(api, secret);
  const { control } = api.place;
  await updateOrg(control.write, 'acme', { limits: { maxFileBytes: 2 * mebibyte, maxStoredBytes: 3 * mebibyte } });
  const big = Buffer.alloc(mebibyte, 'x');
  const wrong: [() => Promise<Answered>, number, string, RegExp][] = [
    [() => put(csv, { 'repr-digest': digestOf('another') }), 422, 'wrong_digest', /send the whole file again/],
    [() => put(csv, { 'repr-digest': 'md5=:AAAA:' }), 400, 'usage', /sha-256/],
    [() => put(csv, { 'content-range': 'bytes 5-2/9' }), 400, 'usage', /FIRST-LAST\/SIZE/],
    [() => put(csv, rangeOf(0, csv.length, 9_000_000)), 400, 'usage', /at least 1048576 bytes/],
    [() => put(csv, rangeOf(0, 9, 9)), 400, 'usage', /the body has 24/],
    [() => put(csv, { 'content-length': '30' }), 400, 'usage', /ended after 24 of 30/],
    [() => put(csv, { 'content-encoding': 'gzip' }), 400, 'usage', /content-encoding/],
    [() => put(Buffer.alloc(2 * mebibyte + 1)), 413, 'too_large', /Larger than/],
    [() => putter(api, secret, 'reports%2Fx.csv')(csv), 403, 'forbidden', /read-only/],
    [() => putter(api, secret, 'none%2Fx.csv')(csv), 404, 'not_found', /No such file or folder/],
    [() => putter(api, secret, 'dry-run')(csv), 409, 'refused', /is a folder/],
    [() => putter(api, secret, 'a%0Ab.csv')(csv), 400, 'usage', /control character/],
  ];
  for (const [answer, status, code, detail] of wrong) {
    const got = await answer();
    assert.deepEqual([got.status, got.json.code], [status, code], got.text);
    assert.match(got.json.detail, detail);
  }
  // The bytes of the one that ended early are kept, and count for the quota.
  const cut = await api.ask('/orgs/acme/drops/users.csv', { method: 'DELETE', token: secret });
  assert.equal(cut.json.discarded, csv.length);
  const { secret: reader } = await api.token('read', 'acme');
  assert.deepEqual((await api.ask('/orgs/acme/queue', { token: reader })).json.items, []);
  for (const name of ['a', 'b', 'c', 'd'])
    assert.equal((await putter(api, secret, `${name}.csv`)(big)).status, name === 'd' ? 507 : 201);

  await updateOrg(control.write, 'acme', { limits: {} });
  const { id, secret: revoked } = await api.token('upload', 'acme');
  const late = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await revokeTokenById(api.place, id);
      controller.enqueue(Buffer.from(csv));
      controller.close();
    },
  });
  const refused = await api.ask('/orgs/acme/drops/late.csv', { method: 'PUT', token: revoked, stream: late });
  assert.deepEqual([refused.status, refused.json.code], [403, 'forbidden'], refused.text);
  await updateOrg(control.write, 'acme', { enabled: false });
  assert.equal((await put(csv)).status, 409);
});

test('an upload that is cut off is resumed where it ended, and a later request ends one that hangs', async (t) => {
  const api = await openApi(t);
  const { secret } = await api.token('upload', 'acme');
  const server = await listen(api.fetch, { host: '127.0.0.1', port: 0, tls: null }, createSilentLogger());
  t.after(() => server.stop(0));
  const whole = randomBytes(700_000);
  const begin = (head: string, bytes: Buffer) => {
    const socket = connect(server.port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    socket.write(
      `PUT /api/v1/orgs/acme/drops/users.csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}\r\n${head}\r\n\r\n`,
    );
    socket.write(bytes);
    return socket;
  };
  const ask = (method: string) =>
    fetch(`http://127.0.0.1:${server.port}/api/v1/orgs/acme/drops/users.csv`, {
      method,
      headers: { authorization: `Bearer ${secret}` },
    });
  const taken = async (bytes: number) => {
    while (api.drops.receivedBytes() < bytes) await new Promise((resolve) => setImmediate(resolve));
  };
  // The client is silent in the middle: HEAD ends that upload, and tells what is kept.
  const first = begin(`Content-Length: ${whole.length}`, whole.subarray(0, 300_000));
  await taken(300_000);
  assert.equal((await ask('HEAD')).headers.get('upload-offset'), '300000');
  first.destroy();

  const ranged = `Content-Length: 400000\r\nContent-Range: bytes 300000-699999/700000`;
  const second = begin(ranged, whole.subarray(300_000, 600_000));
  await taken(600_000);
  second.destroy();
  assert.equal((await ask('HEAD')).headers.get('upload-offset'), '600000');
  const rest = whole.subarray(600_000);
  const last = await fetch(`http://127.0.0.1:${server.port}/api/v1/orgs/acme/drops/users.csv`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${secret}`, 'content-range': 'bytes 600000-699999/700000' },
    body: rest,
  });
  assert.equal(last.status, 201);
  assert.equal(last.headers.get('repr-digest'), digestOf(whole));

  // The end of a body of unknown length must be seen: nothing of this one is published.
  const chunked = begin('Transfer-Encoding: chunked', Buffer.from(`${(1000).toString(16)}\r\n${'y'.repeat(1000)}\r\n`));
  await taken(701_000);
  chunked.destroy();
  const told = await ask('HEAD');
  assert.deepEqual([told.headers.get('upload-complete'), told.headers.get('upload-offset')], ['?0', '999']);
});

test('an organization has its share of the uploads at once, and its neighbour uploads beside it', async (t) => {
  const api = await openApi(t);
  const [acme, other] = [await api.token('upload', 'acme'), await api.token('upload', 'other')];
  await updateOrg(api.place.control.write, 'acme', { options: { maxConnections: 1 } });
  const hanging = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(Buffer.from(csv)) });
  const first = api.ask('/orgs/acme/drops/first.csv', { method: 'PUT', token: acme.secret, stream: hanging });
  while (api.drops.receivedBytes() < csv.length) await new Promise((resolve) => setImmediate(resolve));
  const second = await putter(api, acme.secret, 'second.csv')(csv);
  assert.deepEqual([second.status, second.json.code, second.headers.get('retry-after')], [429, 'too_many', '5']);
  const beside = await api.ask('/orgs/other/drops/users.csv', { method: 'PUT', token: other.secret, body: csv });
  assert.equal(beside.status, 201, beside.text);
  // Its end gives the place back.
  const told = await api.ask('/orgs/acme/drops/first.csv', { method: 'HEAD', token: acme.secret });
  assert.equal(told.headers.get('upload-complete'), '?0');
  assert.deepEqual([(await first).status, (await first).json.code], [400, 'usage']);
  assert.equal((await putter(api, acme.secret, 'second.csv')(csv)).status, 201);
});

test('an upload that is refused takes no range of an earlier one away; one that is taken does', async (t) => {
  const api = await openApi(t);
  const { secret } = await api.token('upload', 'acme');
  const put = putter(api, secret);
  const head = async () => {
    const { headers } = await api.ask('/orgs/acme/drops/users.csv', { method: 'HEAD', token: secret });
    return [headers.get('upload-offset'), headers.get('upload-complete')];
  };
  const whole = Buffer.alloc(3 * mebibyte, 'User Email\n');
  await updateOrg(api.place.control.write, 'acme', { limits: { maxFileBytes: 3 * mebibyte } });
  assert.equal((await put(whole.subarray(0, mebibyte), rangeOf(0, mebibyte, whole.length))).status, 202);
  const kept = [String(mebibyte), '?0'];
  const refused: [() => Promise<Answered>, number][] = [
    [() => put(Buffer.alloc(4 * mebibyte)), 413],
    [() => put(whole.subarray(0, mebibyte + 5), { 'content-length': String(mebibyte) }), 400],
    [() => put(csv, { 'content-range': 'bytes 0-23/24', 'repr-digest': 'x' }), 400],
  ];
  for (const [answer, status] of refused) {
    assert.equal((await answer()).status, status);
    assert.deepEqual(await head(), kept);
  }
  // Of a file that must be new only a complete one is in the way.
  const begun = await put(whole.subarray(0, 2 * mebibyte), {
    ...rangeOf(0, 2 * mebibyte, whole.length),
    'if-none-match': '*',
  });
  assert.deepEqual([begun.status, await head()], [202, [String(2 * mebibyte), '?0']]);
  assert.equal((await put(csv, { 'if-none-match': '*' })).status, 201);
  assert.deepEqual(await head(), [String(csv.length), '?1']);
  assert.deepEqual(await api.place.control.read('partials'), []);
  assert.equal((await put(csv, { 'if-none-match': '*' })).status, 412);
});
