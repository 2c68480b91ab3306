/** Every command as a new user tries it, on an empty data folder: its help, a call without arguments, and one that names unknown objects. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createWholeProgram, type Leaf, leavesOf } from '../support/commands.js';

const leaves = leavesOf(await createWholeProgram()).filter(({ words }) => words[0] !== 'help');
const data = mkdtempSync(join(tmpdir(), 'dropslot-every-'));
after(() => rmSync(data, { recursive: true }));

/** In one process, one after the other. */
function runAll(commands: string[][]): { code: number; text: string }[] {
  const child = join(import.meta.dirname, `commands.child${import.meta.filename.endsWith('.ts') ? '.ts' : '.js'}`);
  const { stdout, stderr } = spawnSync(process.execPath, [...process.execArgv, child], {
    input: JSON.stringify(commands),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, DROPSLOT_DATA: join(data, 'data') },
  });
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout);
}

/** Texts of libraries, of the system, and of a program that fails. */
const raw = /\bat .*\.[jt]s:\d+|\bZod|SQLITE_|\bE(NOENT|ACCES|ISDIR|EXIST)\b|\bundefined\b|\[object |\bNaN\b|TypeError/;

test('the help of each command is whole at 80 columns', () => {
  assert.ok(leaves.length > 130);
  for (const { words, command } of leaves)
    for (const line of command.helpInformation().split('\n'))
      assert.ok(line.length <= 80 || !line.includes(' ', 60), `${words.join(' ')}: ${line}`);
});

test('without its arguments each command shows its usage and an example', () => {
  const needy = leaves.filter(({ command }) => command.registeredArguments.some(({ required }) => required));
  const ran = runAll(needy.map(({ words }) => words));
  for (const [index, { words }] of needy.entries()) {
    const { code, text } = ran[index]!;
    assert.equal(code, 2, words.join(' '));
    assert.match(
      text,
      new RegExp(`usage: dropslot ${words.join(' ')} .*example: .*dropslot ${words[0]}`, 's'),
      words.join(' '),
    );
  }
});

/** These start something, or wait for it. */
const apart = ['serve', 'sftp-server', 'completion', 'help'];

test('with unknown names, and on no data, each command says what to do: no raw text, no stack, in JSON too', () => {
  const tried = leaves.filter(({ words }) => !apart.includes(words[0]!));
  const given = (name: string) => (name === 'file' || name === 'dir' ? '/nowhere/x' : 'nope');
  const callOf = ({ words, command }: Leaf) => [
    ...words,
    ...command.registeredArguments.map((one) => given(one.name())),
  ];
  const ran = runAll([...tried.map(callOf), ...tried.map((one) => [...callOf(one), '--json'])]);
  const wrong: string[] = [];
  for (const [index, { code, text }] of ran.entries()) {
    const call = callOf(tried[index % tried.length]!).join(' ');
    if (raw.test(text) || code > 5 || text.trim() === '') wrong.push(`${call} -> ${code}: ${text.slice(0, 300)}`);
    if (index >= tried.length && code !== 0) {
      const { error } = JSON.parse(text) as { error: { code: string; message: string } };
      if (!/^\S.*\S$/s.test(error.message)) wrong.push(`${call} --json: ${text}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(!existsSync(join(data, 'nope')));
});
