/** Every command beside databases that are missing, broken, locked or full: a sentence and an exit code, and never a stack. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openSqlite } from '../../db/sqlite/drivers.js';
import { moduleArguments, runDropslot } from '../support/program.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

/** One command of three is tried with each fault, and another one with the next; all with `TEST_FAULTS=all`. */
const every = process.env.TEST_FAULTS === 'all' ? 1 : 3;
let fault = 0;

interface Outcome {
  words: string;
  code: number;
  text: string;
  uncaught: string[];
}

/** In the folder: a data folder with one organization, and a file for commands that want one. */
async function prepare(folder: string): Promise<{ data: string; file: string }> {
  const [data, file] = [join(folder, 'data'), join(folder, 'users.csv')];
  writeFileSync(file, 'User Email\nann@acme.test\n');
  const made = await runDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test'], { data });
  assert.equal(made.code, 0, made.stderr);
  return { data, file };
}

/** @param shell run before the commands, in their process */
async function runAll(data: string, file: string, { pragma = '', shell = '' } = {}): Promise<Outcome[]> {
  const args = [
    ...moduleArguments('faults.child', import.meta.url),
    data,
    file,
    pragma,
    `${every}`,
    `${fault++ % every}`,
  ];
  const child =
    shell === ''
      ? spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
      : spawn('/bin/sh', ['-c', `${shell}; exec "$@"`, 'sh', process.execPath, ...args], {
          stdio: ['ignore', 'pipe', 'pipe'],
        });
  const [out, errors]: [string[], string[]] = [[], []];
  child.stdout.on('data', (text) => out.push(String(text)));
  child.stderr.on('data', (text) => errors.push(String(text)));
  const [code] = await once(child, 'close');
  assert.equal(code, 0, errors.join(''));
  return out
    .join('')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** Commands that need neither database. */
const needsNone = /^(config|hostkeys|completion|templates|doctor|events (types|schemas))/;
/** Commands that need directory.db; others may leave it closed. */
const needsDirectory = /^(users|teams|fields|check|import|orgs (add|show|remove)|events (list|show))/;

/** @param maySucceed by the words of a command */
function requireSentences(outcomes: readonly Outcome[], maySucceed: (words: string) => boolean): void {
  assert.ok(outcomes.length > 60 / every, `${outcomes.length} commands were tried`);
  for (const { words, code, text, uncaught } of outcomes) {
    assert.deepEqual(uncaught, [], words);
    assert.doesNotMatch(text, /unhandled|^\s+at .*:\d+:\d+|This is a defect of Dropslot|TypeError/im, words);
    if (code !== 0) assert.match(text, /\w/, `${words} ended with ${code} and said nothing`);
    if (code === 0) assert.ok(maySucceed(words), `${words}: ${text}`);
  }
}

describe('every command', () => {
  const folder = temporaryFolder({ after });
  let made: { data: string; file: string };
  before(async () => {
    made = await prepare(folder);
  });

  /** A copy to break. */
  const copy = (scope: Scope) => {
    const data = join(temporaryFolder(scope), 'data');
    cpSync(made.data, data, { recursive: true });
    return data;
  };

  test('without data', async (t) =>
    requireSentences(await runAll(join(temporaryFolder(t), 'none'), made.file), () => true));

  for (const [name, maySucceed] of [
    ['control.db', (words: string) => needsNone.test(words)],
    ['directory.db', (words: string) => !needsDirectory.test(words)],
  ] as const)
    test(`with a ${name} that is no database`, async (t) => {
      const data = copy(t);
      writeFileSync(join(data, name), 'this is no database, but a text that somebody saved here. '.repeat(200));
      requireSentences(await runAll(data, made.file), maySucceed);
    });

  test('with databases that another program has locked', async (t) => {
    const data = copy(t);
    for (const name of ['control.db', 'directory.db']) {
      const holder = await openSqlite('sqlite3', join(data, name), { waitMs: 0 });
      t.after(() => holder.close());
      await holder.execute('BEGIN IMMEDIATE');
    }
    requireSentences(await runAll(data, made.file, { pragma: 'PRAGMA busy_timeout = 20' }), () => true);
  });

  test('with a disk that takes no more bytes', { skip: process.platform === 'win32' }, async (t) => {
    const data = copy(t);
    requireSentences(await runAll(data, made.file, { shell: "trap '' XFSZ; ulimit -f 0" }), () => true);
  });
});
