/** Every command of the command line has its requests in the API, or a reason why it has none; and docs/api.md says the same. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { localOnly, replaceCommandTables, requestsOf, withoutCommand } from '../../../web/api/commands.js';
import { describeApi } from '../../../web/api/openapi.js';
import { routes } from '../../../web/api/table.js';
import { createWholeProgram, leavesOf } from '../../support/commands.js';

const commands = leavesOf(await createWholeProgram()).map(({ words }) => words.join(' '));
const { paths } = describeApi(routes, '0.0.0') as { paths: Record<string, object> };
const requests = Object.entries(paths).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
);

test('each command is in one of the two tables, and they name no other command', () => {
  assert.ok(commands.length > 130);
  const listed = [...Object.keys(requestsOf), ...Object.keys(localOnly)];
  assert.deepEqual([...listed].sort(), [...commands].sort());
});

test('each request that a command names is in the OpenAPI document, and each request there is one of a command', () => {
  const named = new Set([...Object.values(requestsOf).flat(), ...withoutCommand]);
  assert.deepEqual(
    [...named].filter((request) => !requests.includes(request)),
    [],
  );
  assert.deepEqual(
    requests.filter((request) => !named.has(request)),
    [],
  );
});

test('docs/api.md has both tables (else: npm run docs)', () => {
  const text = readFileSync('docs/api.md', 'utf8');
  assert.equal(text, replaceCommandTables(text));
});
