/** `dropslot help` explains a command of any depth; a wrong call shows a right one; a shell completes both. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const main = join(import.meta.dirname, '../../dist/app/main.js');

function run(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('help takes all words of a command, and names the nearest', () => {
  const { status, stdout } = run('help', 'orgs', 'add');
  assert.equal(status, 0);
  assert.equal(stdout, run('orgs', 'add', '--help').stdout);
  const wrong = run('help', 'orgs', 'ad');
  assert.deepEqual(
    [wrong.status, wrong.stderr],
    [2, 'dropslot: unknown command "dropslot orgs ad"; did you mean "add"?\n'],
  );
});

test('a wrong call gets the usage and an example; a program only the error', () => {
  const { status, stderr } = run('keys', 'add', 'acme');
  assert.equal(status, 2);
  assert.match(
    stderr,
    /^dropslot: missing required argument 'file'; usage: dropslot keys add \[options\] <org> <file>; example: dropslot keys add acme [^\n]+\n$/,
  );
  const { error: forProgram } = JSON.parse(run('keys', 'add', 'acme', '--json').stderr);
  assert.equal(forProgram.message, "missing required argument 'file'");
});

test('an unknown command names the nearest, or the list', () => {
  assert.match(run('ogrs').stderr, /Did you mean orgs\?/);
  assert.match(run('xyzzy').stderr, /"dropslot help" lists the commands/);
  assert.match(run('files', 'acme').stderr, /unknown command 'acme'; "dropslot help files" lists its commands\n$/);
});

const cases: [line: string, words: string[]][] = [
  ['or', ['orgs']],
  ['orgs sh', ['show']],
  ['--data /x keys ad', ['add', 'add-ca']],
  ['keys add acme --exp', ['--expires']],
  ['runs list --st', ['--state']],
];

test('bash completes commands and options', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dropslot-completion-'));
  try {
    const script = join(folder, 'completion.bash');
    writeFileSync(script, run('completion', 'bash').stdout);
    for (const [line, words] of cases) {
      const complete = `source "$1"; COMP_WORDS=(dropslot ${line}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _dropslot; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout } = spawnSync('bash', ['-c', complete, 'bash', script], { encoding: 'utf8', cwd: folder });
      assert.deepEqual(stdout.trim().split('\n'), words, line);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

for (const shell of ['zsh', 'fish'])
  test(`${shell} reads its script`, (context) => {
    const { error } = spawnSync(shell, ['--version']);
    if (error !== undefined) return context.skip(`${shell} is not installed`);
    const folder = mkdtempSync(join(tmpdir(), 'dropslot-completion-'));
    try {
      const script = join(folder, `completion.${shell}`);
      writeFileSync(script, run('completion', shell).stdout);
      const { status, stderr } = spawnSync(shell, ['-n', script], { encoding: 'utf8' });
      assert.deepEqual([status, stderr], [0, '']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
