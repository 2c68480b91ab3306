/** What the settings of an object store make of its requests: the host and the path, and whose keys sign them. A server of its own notes them. */
import assert from 'node:assert/strict';
import dns from 'node:dns';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { settingsSchema } from '../../../config/settings.js';
import { openStore } from '../../../storage/s3/openstore.js';
import { temporaryFolder } from '../../support/temporary.js';

interface Noted {
  host: string;
  path: string;
  /** The id of the key that signed it. */
  key: string | undefined;
}

/** A store that has no object; every name of a host is this one, as a DNS with a record for `*` answers. */
async function startNotes(t: TestContext): Promise<{ port: number; noted: Noted[] }> {
  const noted: Noted[] = [];
  const server = createServer(({ headers, url }, response) => {
    const key = /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1];
    noted.push({ host: headers.host!, path: url!.replace(/\?.*/, ''), key });
    response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { lookup } = dns;
  t.mock.method(dns, 'lookup', (name: string, options: dns.LookupAllOptions, done: () => void) =>
    lookup(name.endsWith('store.test') ? '127.0.0.1' : name, options, done),
  );
  return { port: (server.address() as AddressInfo).port, noted };
}

function setEnvironment(t: TestContext, values: Record<string, string>): void {
  for (const [name, value] of Object.entries(values)) {
    const before = process.env[name];
    process.env[name] = value;
    t.after(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
  }
}

function writeKeys(folder: string, id: string): object {
  const files = { blobAccessKey: join(folder, 'id'), blobSecretKey: join(folder, 'secret') };
  writeFileSync(files.blobAccessKey, `${id}\n`, { mode: 0o600 });
  writeFileSync(files.blobSecretKey, 'a secret of this test\n', { mode: 0o600 });
  return files;
}

const styles: [style: string, host: string, path: string][] = [
  ['auto', 'store.test', '/acme-files/prod/x/x'],
  ['on', 'store.test', '/acme-files/prod/x/x'],
  ['off', 'acme-files.store.test', '/prod/x/x'],
];
for (const [blobPathStyle, host, path] of styles)
  test(`blobPathStyle=${blobPathStyle}: ${host}${path}`, async (t) => {
    const { port, noted } = await startNotes(t);
    const place = { blobs: 's3://acme-files/prod/', blobEndpoint: `http://store.test:${port}`, blobPathStyle };
    const store = openStore(settingsSchema.parse({ ...place, ...writeKeys(temporaryFolder(t), 'AKID1') }))!;
    t.after(() => store.close());
    assert.equal(await store.stat('x'), null);
    assert.deepEqual(noted, [{ host: `${host}:${port}`, path, key: 'AKID1' }]);
  });

test('without key files the variables of AWS programs sign; they are no setting', async (t) => {
  const { port, noted } = await startNotes(t);
  setEnvironment(t, { AWS_ACCESS_KEY_ID: 'AKID2', AWS_SECRET_ACCESS_KEY: 'another secret of this test' });
  const place = { blobs: 's3://acme-files', blobEndpoint: `http://store.test:${port}` };
  const store = openStore(settingsSchema.parse(place))!;
  t.after(() => store.close());
  assert.equal(await store.stat('x'), null);
  assert.deepEqual(
    noted.map(({ key }) => key),
    ['AKID2'],
  );
});

test('a key file that was replaced counts five minutes later, without a restart', async (t) => {
  const { port, noted } = await startNotes(t);
  const folder = temporaryFolder(t);
  const place = { blobs: 's3://acme-files', blobEndpoint: `http://store.test:${port}` };
  const store = openStore(settingsSchema.parse({ ...place, ...writeKeys(folder, 'AKID3') }))!;
  t.after(() => store.close());
  await store.stat('x');
  writeKeys(folder, 'AKID4');
  await store.stat('x');
  const { now } = performance;
  t.mock.method(performance, 'now', () => now.call(performance) + 5 * 60_000);
  await store.stat('x');
  assert.deepEqual(
    noted.map(({ key }) => key),
    ['AKID3', 'AKID3', 'AKID4'],
  );
});
