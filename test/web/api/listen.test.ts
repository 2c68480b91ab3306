/** Where the API listens: plain HTTP on loopback alone, and TLS that follows changed files. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { connect } from 'node:tls';
import { createSilentLogger } from '../../../config/logger.js';
import { settingsSchema } from '../../../config/settings.js';
import { endpointOf, listen } from '../../../web/api/listen.js';
import { temporaryFolder } from '../../support/temporary.js';

const settings = (given: object) => settingsSchema.parse(given);

test('plain HTTP is for loopback addresses, unless the setting says otherwise', () => {
  assert.equal(endpointOf(settings({})), null);
  const plain = ['127.0.0.1:1', '127.9.9.9:1', '[::1]:1', 'localhost:1'];
  for (const api of plain) assert.equal(endpointOf(settings({ api }))!.tls, null);
  const open = ['0.0.0.0:1', '*:1', '[::]:1', '192.0.2.1:1', 'api.example:1', '127.example:1'];
  for (const api of open) {
    assert.throws(() => endpointOf(settings({ api })), { code: 'usage', message: /apiTlsCert/ }, api);
    assert.equal(endpointOf(settings({ api, apiAllowHttp: 'on' }))!.tls, null);
    assert.deepEqual(endpointOf(settings({ api, apiTlsCert: 'c', apiTlsKey: 'k' }))!.tls, { cert: 'c', key: 'k' });
  }
  assert.throws(() => endpointOf(settings({ api: plain[0], apiTlsCert: 'c' })), { code: 'usage', message: /both/ });
  for (const api of ['8022', 'x', '127.0.0.1:99999', '127.0.0.1:1/modern'])
    assert.throws(() => settings({ api }), /HOST:PORT/, api);
});

test('a changed certificate is used; one that does not fit its key is not', async (t) => {
  const folder = temporaryFolder(t);
  const path = (name: string) => join(folder, name);
  for (const name of ['one', 'two']) {
    const made = spawnSync('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', `/CN=${name}`, '-keyout', path(`${name}.key`), '-out', path(`${name}.crt`)],
    ]);
    assert.equal(made.status, 0, made.stderr?.toString());
  }
  const use = (cert: string, key: string) => {
    copyFileSync(path(`${cert}.crt`), path('crt'));
    copyFileSync(path(`${key}.key`), path('key'));
  };
  use('one', 'one');
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const said: string[] = [];
  let heard = () => {};
  const note = (text: string) => {
    said.push(text);
    heard();
    return logger;
  };
  const logger = Object.assign(createSilentLogger(), { info: note, warn: note });
  const tls = { cert: path('crt'), key: path('key') };
  const server = await listen(() => new Response('ok'), { host: '127.0.0.1', port: 0, tls }, logger);
  t.after(() => server.stop(0));
  const nameOf = () =>
    new Promise<string>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      });
      socket.on('error', reject);
    });
  const look = async () => {
    const next = new Promise<void>((resolve) => {
      heard = resolve;
    });
    mock.timers.tick(2_000);
    await next;
  };
  assert.equal(await nameOf(), 'one');
  use('two', 'one');
  await look();
  assert.deepEqual([await nameOf(), said.length], ['one', 1]);
  use('two', 'two');
  await look();
  assert.deepEqual([await nameOf(), said.length], ['two', 2]);
  writeFileSync(path('crt'), 'x');
  await look();
  assert.equal(await nameOf(), 'two');
});
