/** The files of examples/three-nodes: their settings exist, and only the proxy of haproxy.cfg may name the addresses of clients. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { settingsSchema } from '../config/settings.js';
import { temporaryFolder } from './support/temporary.js';

const folder = join(import.meta.dirname, '../examples/three-nodes');
const proxy = readFileSync(join(folder, 'haproxy.cfg'), 'utf8');

for (const name of ['dropslot.json', 'dropslot.store.json'])
  test(name, () => {
    const settings = settingsSchema.parse(JSON.parse(readFileSync(join(folder, name), 'utf8')));
    assert.deepEqual(settings.proxies, ['10.0.0.9/32'], 'one address');
    assert.match(settings.monitor!, /:9100$/);
  });

test('haproxy.cfg sends the address of the client to each node', () => {
  const servers = proxy.split('\n').filter((line) => /^\s*server /.test(line));
  assert.equal(servers.length, 3);
  for (const line of servers) assert.match(line, / send-proxy-v2 check port 9100$/);
});

const lacksHaproxy = spawnSync('haproxy', ['-v']).status === 0 ? false : 'needs HAProxy (Debian package: haproxy)';

test('HAProxy takes haproxy.cfg', { skip: lacksHaproxy }, (t) => {
  const file = join(temporaryFolder(t), 'haproxy.cfg');
  writeFileSync(file, proxy.replace(/\w+\.example/g, '127.0.0.1'));
  const { status, stderr } = spawnSync('haproxy', ['-c', '-f', file], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});
