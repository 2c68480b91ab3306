/** docs/clients.md shows the matrix as it is: every client, case and special there is, and no failure. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { clients } from './clients/all.js';
import { page, render, resultsIn } from './page.js';

/** Without the versions of the clients, and without what they say. */
function withoutRun(text: string): string[] {
  return text.split('\n').map((line) => {
    const client = clients.find(
      ({ name }) => line.startsWith(`| ${name}, `) || line.startsWith(`| ${name} `) || line.startsWith(`- ${name}: \``),
    );
    if (client === undefined) return line;
    return line.startsWith('|') ? line.replace(/^\| [^|]*/, client.name) : `- ${client.name}`;
  });
}

test('docs/clients.md shows every client, case and special; `npm run clients` writes it anew', () => {
  const expected = render(clients.map((client) => ({ client, version: '1', failed: [], message: 'no' })));
  assert.deepEqual(withoutRun(resultsIn(readFileSync(page, 'utf8'))), withoutRun(expected));
});
