// Prints npm's bill of materials (CycloneDX) of the production dependencies. npm's own --omit=dev also leaves out packages
// that development uses too (ssh2 and pg, with npm 11), so the lock file decides which are for development alone.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const options = ['--package-lock-only', '--sbom-format=cyclonedx', '--sbom-type=application'];
const { stdout, stderr, status } = spawnSync('npm', ['sbom', ...options], {
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
});
if (status !== 0) {
  console.error(stderr);
  process.exit(1);
}
const bill = JSON.parse(stdout);
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const production = new Set(
  Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([path, { name, version }]) => `${name ?? path.split('node_modules/').at(-1)}@${version}`),
);
bill.components = bill.components.filter(({ 'bom-ref': ref }) => production.has(ref));
const refs = new Set([bill.metadata.component['bom-ref'], ...bill.components.map((component) => component['bom-ref'])]);
bill.dependencies = bill.dependencies
  .filter(({ ref }) => refs.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) }));
// npm names the project after its folder, and misses licences in the old format, which the lock file leaves out.
bill.metadata.component.name = packages[''].name;
const paths = new Map(
  Object.keys(packages).map((path) => [`${path.split('node_modules/').at(-1)}@${packages[path].version}`, path]),
);
for (const component of bill.components) {
  if (component.licenses !== undefined) continue;
  const manifest = `${paths.get(component['bom-ref'])}/package.json`;
  // An optional package may not be installed here.
  if (!existsSync(manifest)) continue;
  const { licenses = [] } = JSON.parse(readFileSync(manifest, 'utf8'));
  component.licenses = licenses.map(({ type }) => ({ license: { id: type } }));
}
console.log(JSON.stringify(bill, null, 2));
