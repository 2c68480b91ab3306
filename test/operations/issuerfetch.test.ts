/** Requests to an identity provider: bounded in time and size, without redirects, and to public addresses alone. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createPublicLookup } from '../../events/webhook/address.js';
import { createIssuerFetch } from '../../operations/accounts/issuerfetch.js';

/** Answers each path in a way of its own. */
async function openServer(t: TestContext) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.url!);
    if (request.url === '/never') return;
    if (request.url === '/slowly') {
      response.writeHead(200).write('{');
      return;
    }
    if (request.url === '/moved') response.writeHead(302, { location: '/other' }).end();
    else if (request.url === '/large') response.end('x'.repeat(1024 * 1024 + 1));
    else response.setHeader('content-type', 'application/json').end('{"a":1}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const get = { method: 'GET', headers: {} };
const everywhere = { allowHttp: true, allowPrivate: true };

test('an answer is bounded in time and size, and a redirect is not followed', async (t) => {
  const { url, seen } = await openServer(t);
  const ask = createIssuerFetch(everywhere, '0', { timeLimitMs: 200 });
  assert.deepEqual(await (await ask(`${url}/document`, get)).json(), { a: 1 });
  assert.equal((await ask(`${url}/moved`, get)).status, 302);
  for (const path of ['/never', '/slowly']) await assert.rejects(ask(url + path, get), /abort/i, path);
  await assert.rejects(ask(`${url}/large`, get), /larger than 1048576 bytes/);
  assert.ok(!seen.includes('/other'));
});

test('plain HTTP and private addresses need the word of the operator, also where a name leads to them', async (t) => {
  const { url, seen } = await openServer(t);
  const { port } = new URL(url);
  await assert.rejects(createIssuerFetch({ allowHttp: false, allowPrivate: true }, '0')(url, get), /is not https/);
  await assert.rejects(createIssuerFetch(everywhere, '0')('file:///etc/passwd', get), /is not https/);
  const outside = { allowHttp: true, allowPrivate: false };
  await assert.rejects(createIssuerFetch(outside, '0')(url, get), /private address/);
  const resolve = (address: string) =>
    createPublicLookup((_name, _options, callback) => callback(null, [{ address, family: 4 }]));
  const named = `http://login.acme.test:${port}/document`;
  await assert.rejects(
    createIssuerFetch(outside, '0', { lookup: resolve('127.0.0.1') })(named, get),
    /private addresses only/,
  );
  // A lookup that lies: the address of the connection counts.
  const lie = (_name: string, _options: object, callback: (error: null, addresses: object[]) => void) =>
    callback(null, [{ address: '127.0.0.1', family: 4 }]);
  await assert.rejects(createIssuerFetch(outside, '0', { lookup: lie as never })(named, get), /private address/);
  assert.deepEqual(seen, []);
});
