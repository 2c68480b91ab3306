/** The built program at a terminal of 80 columns, with NO_COLOR, and in a pipe: its bytes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { missing } from '../support/peers.js';
import { runDropslot } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

const program = fileURLToPath(new URL('../../dist/app/main.js', import.meta.url));
const esc = '\u001b';

/** All that the terminal gets of a command. */
function atTerminal(words: string, data: string, env: Record<string, string> = {}): string {
  const { NO_COLOR: _, ...own } = process.env;
  const command = `stty cols 80 rows 24 && ${process.execPath} ${program} ${words}`;
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
    env: { ...own, TERM: 'xterm', DROPSLOT_DATA: data, ...env },
    input: '',
    encoding: 'utf8',
  });
  return stdout;
}

test('progress and colours at a terminal, none with NO_COLOR and in a pipe', {
  skip: missing('script', 'bsdutils'),
}, async (t) => {
  const data = join(temporaryFolder(t), 'data');
  const file = join(temporaryFolder(t), 'users.csv');
  writeFileSync(file, 'User Email,First Name\nann@acme.test,Ann\nno address,Ben\n');
  await runDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], { data });

  const shown = atTerminal(`check acme ${file}`, data);
  assert.match(shown, /\rcomputing the SHA-256 100 % · 55 B of 55 B/);
  assert.ok(shown.includes(`${esc}[31mfault${esc}[39m`), shown);
  const drawn = shown.split('\n').find((line) => line.includes('computing'))!;
  for (const line of drawn.split('\r')) assert.ok(line.length < 80, line);
  assert.match(drawn, /\r +\rLINE {2}COLUMN/, 'nothing of it remains');

  const plain = atTerminal(`check acme ${file}`, data, { NO_COLOR: '1' });
  assert.match(plain, /\rcomputing the SHA-256/);
  assert.ok(!plain.includes(esc), plain);
  const dumb = atTerminal(`check acme ${file}`, data, { TERM: 'dumb' });
  assert.ok(!dumb.includes(esc) && !dumb.includes('computing'), dumb);
  const { stdout, stderr } = await runDropslot(['check', 'acme', file], { data });
  assert.ok(!`${stdout}${stderr}`.includes(esc) && !stderr.includes('\r'), stderr);
  assert.match(stdout, /\bfault\b/);

  assert.ok(atTerminal('runs show 7', data).startsWith(`${esc}[31mdropslot:${esc}[39m no run "7"`));
});
