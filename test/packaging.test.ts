/** The files that packages are made of: scripts that a shell reads, a unit that shuts the server in, a container without root. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

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
