/** Where the console listens: never beyond this machine without TLS, and never without its name in browsers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsSchema } from '../../../config/settings.js';
import { consoleEndpointOf } from '../../../web/console/endpoint.js';

const endpoint = (given: object) => consoleEndpointOf(settingsSchema.parse(given));
const tls = { apiTlsCert: 'cert.pem', apiTlsKey: 'key.pem' };
const consoleUrl = 'https://hr-files.example';

test('the console is off without an address, and on a loopback address it needs nothing else', () => {
  assert.equal(endpoint({}), null);
  assert.deepEqual(endpoint({ console: '127.0.0.1:8023' }), { host: '127.0.0.1', port: 8023, tls: null });
  assert.deepEqual(endpoint({ console: '*:443', consoleUrl, ...tls })!.tls, { cert: 'cert.pem', key: 'key.pem' });
  assert.equal(endpoint({ console: '192.0.2.1:8023', consoleUrl, apiAllowHttp: 'on' })!.tls, null);
});

test('an address beyond this machine needs TLS and consoleUrl, and the message says so', () => {
  const wrong: [object, RegExp][] = [
    [{ console: '*:8023' }, /^the setting console=\*:8023 would send tokens and personal data/],
    [{ console: '*:8023', ...tls }, /needs consoleUrl/],
    [{ console: '127.0.0.1:8023', apiTlsCert: 'cert.pem' }, /belong together/],
    [{ console: '127.0.0.1:8023', consoleUrl: 'http://hr-files.example' }, /must begin with https/],
  ];
  for (const [given, message] of wrong) assert.throws(() => endpoint(given), { code: 'usage', message });
  for (const url of ['hr-files.example', 'https://hr-files.example/console', 'https://a@b', 'ftp://x', 'https://'])
    assert.throws(() => settingsSchema.parse({ consoleUrl: url }));
});
