/** The files that packages are made of: scripts that a shell reads, a unit that shuts the server in, a container without root. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from './support/temporary.js';

const read = (name: string) => readFileSync(`packaging/${name}`, 'utf8');
/** The highest exposure that `systemd-analyze security` may find, of 10; docs/packages.md has the figure. */
const mostExposure = 1.3;

test('the shell reads each script of the packages', () => {
  const scripts = ['debian/dropslot.sh', 'debian/postinst', 'debian/prerm', 'debian/postrm', 'bundle/install.sh'];
  for (const name of scripts) {
    assert.match(read(name), /^#!\/bin\/sh\n(#.*\n)*set -eu?\n/, name);
    const { status, stderr } = spawnSync('sh', ['-n', `packaging/${name}`], { encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, ''], name);
  }
});

test('as root the command of the Debian package works on its data as the user dropslot, wherever its options stand', (t) => {
  const folder = temporaryFolder(t);
  const put = (name: string, lines: string) =>
    writeFileSync(join(folder, name), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  mkdirSync(join(folder, 'bin'));
  put('bin/node', 'shift; echo "itself: $*"');
  put('setpriv', 'shift 5; echo "dropslot: $*"');
  put('id', 'echo 0');
  const script = read('debian/dropslot.sh').replace('home=/usr/lib/dropslot', `home=${folder}`);
  writeFileSync(join(folder, 'dropslot.sh'), script);
  const env = { PATH: `${folder}:${process.env.PATH}` };
  const run = (...words: string[]) =>
    spawnSync('sh', [join(folder, 'dropslot.sh'), ...words], { encoding: 'utf8', env }).stdout.trim();
  for (const words of [['status'], ['--json', 'status'], ['--wide', '--json', 'orgs', 'list'], ['status', '--json']])
    assert.equal(run(...words), `dropslot: --config /etc/dropslot/dropslot.json ${words.join(' ')}`);
  for (const words of [[], ['--version'], ['--json', '--help'], ['completion', 'bash'], ['--data', 'x', 'status']])
    assert.equal(run(...words), `itself: ${words.join(' ')}`.trim());
});

test('the unit exposes as little as the manual says', (t) => {
  const words = ['security', '--offline=true', 'packaging/dropslot.service'];
  const { error, stdout, stderr } = spawnSync('systemd-analyze', words, { encoding: 'utf8' });
  if (error !== undefined) return t.skip('systemd-analyze is not installed');
  const [, figure] = /Overall exposure level for dropslot\.service: ([\d.]+)/.exec(stdout) ?? [];
  assert.ok(figure !== undefined && Number(figure) <= mostExposure, `${figure}\n${stderr}`);
  assert.ok(readFileSync('docs/packages.md', 'utf8').includes(`**${mostExposure}**`));
});

test('no package runs the server as root, and each gives it time to stop', () => {
  const docker = read('container/Dockerfile');
  assert.match(docker, /^USER 10001:10001$/m);
  assert.match(docker, /^HEALTHCHECK /m);
  const compose = read('container/compose.yaml');
  for (const line of ['read_only: true', 'cap_drop: [ALL]', "'no-new-privileges:true'", 'stop_grace_period: 90s'])
    assert.ok(compose.includes(line), line);
  const kubernetes = read('container/kubernetes.yaml');
  for (const line of [
    'runAsNonRoot: true',
    'readOnlyRootFilesystem: true',
    'allowPrivilegeEscalation: false',
    'capabilities: { drop: [ALL] }',
    'seccompProfile: { type: RuntimeDefault }',
    'automountServiceAccountToken: false',
    'terminationGracePeriodSeconds: 90',
    'path: /healthz',
    'path: /readyz',
  ])
    assert.ok(kubernetes.includes(line), line);
  assert.ok(read('dropslot.service').includes('TimeoutStopSec=90'));
});

test('the manifests name the version and the ports of this Dropslot', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  assert.ok(read('container/kubernetes.yaml').includes(`image: dropslot:${version}`));
  for (const name of ['Dockerfile', 'compose.yaml', 'kubernetes.yaml'])
    assert.match(read(`container/${name}`), /\b2222\b/, name);
});
