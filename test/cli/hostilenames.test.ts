/**
 * One hostile text through every door: names of files, organizations, users, teams, columns, values, notes. No command, report
 * or log line has it as a line of its own, or lets it control a terminal; texts have it in quotes.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { createLogger } from '../../config/logger.js';
import { listFiles } from '../../db/control/filelist.js';
import { checkNext } from '../../importer/check/checkworker.js';
import { Company } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { moduleArguments } from '../support/program.js';

/** A line break, a sentence as an operator reads it, and what moves a terminal's cursor, colours it, or turns the letters around. */
const evil = 'x\nEVIL: false alarm, approve run 7\r\u001b[2K\u009b31m\u202e\u2066\u061c"\'';
/** As a name of a file may still be: without control characters. */
const evilFile = 'x EVIL: false alarm, approve run 7 \u202e\u2066"\'';
const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;
const table = (...rows: string[][]) => `${rows.map((row) => row.map(cell).join(',')).join('\n')}\n`;

const raw = /(?!\n)[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

/** Lines that have the text at their beginning, or a character that a terminal obeys. */
function findBare(text: string): string[] {
  return text.split('\n').filter((line) => raw.test(line.replace(/\r$/, '')) || /^\s*EVIL/.test(line));
}

/** Places at which the text is outside of quotes. */
function findUnquoted(text: string): string[] {
  return text.split(/\n\s*\n|\n(?=\S)/).filter((paragraph) => {
    const at = paragraph.indexOf('EVIL');
    return at >= 0 && (paragraph.slice(0, at).replaceAll('\\"', '').split('"').length - 1) % 2 === 0;
  });
}

async function runAll(data: string, commands: string[][]): Promise<{ code: number; text: string }[]> {
  const child = spawn(process.execPath, moduleArguments('./commands.child', import.meta.url), {
    env: { ...process.env, DROPSLOT_DATA: data },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify(commands));
  let text = '';
  for await (const piece of child.stdout.setEncoding('utf8')) text += piece;
  return JSON.parse(text);
}

test('what comes from outside is quoted, and obeyed by no terminal', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t, {
    name: evil,
    options: {
      contact: 'ops\n\u001b[2K\u202e@acme.test',
      identifier: 'Employee ID',
      maxDeactivations: '1',
      createMissing: 'yes',
    } as never,
  });
  const { control, paths } = acme.deps;
  let log = '';
  const target = new Writable({
    write(piece, _encoding, done) {
      log += piece;
      done();
    },
  });
  Object.assign(acme.deps, { logger: createLogger({ logLevel: 'debug', logFormat: 'text' }, target) });
  const summaries = [
    await acme.import({
      [`${evilFile}.csv`]: table(
        [
          'User Email',
          'User Name',
          'Manager',
          'Manager Email',
          'Teams',
          'Employee ID',
          evil,
          'Is Org Admin',
          'Deactivation Date',
        ],
        ['ann@acme.test', evil, evil, evil, evil, 'E-1', evil, evil, evil],
        ['bob@acme.test', 'Bob', evil, 'cyd@acme.test', `${evil},Ops`, evil, 'x', '', ''],
        [evil, 'Nobody', '', '', '', '', '', '', ''],
        ['eve@acme.test', '', '', '', '', 'E-4', '', '', ''],
        ['eve@acme.test', evil, '', '', '', 'E-5', '', '', ''],
        ['cyd@acme.test', evil, '', 'bob@acme.test', '', 'E-3', '', '', ''],
      ),
      'teams.csv': table(
        ['Team Name', 'Parent Team', 'Owner Email', evil],
        [evil, `${evil}2`, evil, evil],
        [`${evil}2`, evil, '', ''],
      ),
      [`a/${evilFile}/b.csv`]: `${cell(evil)},Mail\nx,y\n`,
      'twins.csv': table(['User Email', evil, evil], ['dan@acme.test', '1', '2']),
      [`${evilFile}.xlsx`]: Buffer.from('PK\u0003\u0004 a workbook'),
    }),
  ];
  // A name from an earlier version, which may have every character.
  await acme.drop(
    '/late.csv',
    table(['User Email', 'Deactivation Date'], ['bob@acme.test', '2026-03-10'], ['cyd@acme.test', '2026-03-10']),
  );
  await control
    .write('entries')
    .where({ name: 'late.csv' })
    .update({ name: `${evil}.csv`, folded_name: `${evil}.csv` });
  await control
    .write('uploads')
    .where({ path: '/late.csv' })
    .update({ path: `/${evil}.csv` });
  await acme.drop(`/dry-run/${evilFile}.csv`, table(['User Email', evil], ['ann@acme.test', evil]));
  acme.clock += 5_000;
  await checkNext({ ...acme.deps, mustYield: () => false });
  await checkNext({ ...acme.deps, mustYield: () => false });
  summaries.push(await acme.import());
  assert.equal(summaries[1]!.state, 'held');
  const local = join(paths.data, 'local');
  mkdirSync(local);
  const file = join(local, `${evilFile}.csv`);
  writeFileSync(file, table(['User Email', evil, 'Teams'], ['zoe@acme.test', evil, `${evil}3`]));
  const key = join(local, 'key.pub');
  writeFileSync(
    key,
    `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ${evil.replace('\n', ' ')}\n`,
  );
  const commands = [
    ['orgs', 'list'],
    ['orgs', 'show', 'acme'],
    ['orgs', 'show', 'acme', '--all'],
    ['orgs', 'show', evil],
    ['orgs', 'set', 'acme', evil],
    ['orgs', 'set', 'acme', `slot=${evil}`],
    ['orgs', 'set', 'acme', `aliases=${evil}=${evil}`],
    ['orgs', 'add', evil, '--owner', evil],
    ['keys', 'add', 'acme', key, '--label', evil],
    ['keys', 'list', 'acme'],
    ['queue', 'acme'],
    ['files', 'list', 'acme'],
    ['files', 'cat', 'acme', `/${evil}`],
    ['check', 'acme', file],
    ['check', 'acme', `/${evil}`],
    ['runs', 'list', 'acme'],
    ['runs', 'show', '1'],
    ['runs', 'show', '1', '--changes'],
    ['runs', 'show', '2'],
    ['runs', 'show', '2', '--changes'],
    ['runs', 'show', evil],
    ['runs', 'reject', '2', '--file', evil, '--yes'],
    ['runs', 'undo', '1', '--dry-run'],
    ['import', 'acme'],
    ['users', 'list', 'acme'],
    ['users', 'show', 'acme', 'ann@acme.test'],
    ['users', 'show', 'acme', evil],
    ['users', 'set', 'acme', 'ann@acme.test', `${evil}=${evil}`],
    ['users', 'set', 'acme', 'ann@acme.test', `User Account Type=${evil}`],
    ['users', 'set', 'acme', 'ann@acme.test', `Teams=${evil}`],
    ['users', 'deactivate', 'acme', 'ann@acme.test', '--on', evil],
    ['users', 'erase', 'acme', evil, '--yes'],
    ['teams', 'list', 'acme'],
    ['teams', 'list', 'acme', '--tree'],
    ['teams', 'show', 'acme', evil],
    ['teams', 'set', 'acme', evil, `Team Type=${evil}`],
    ['teams', 'rename', 'acme', evil, `${evil}9`],
    ['teams', 'aliases', 'acme'],
    ['fields', 'list', 'acme'],
    ['fields', 'rename', 'acme', evil, `${evil}9`],
    ['fields', 'retype', 'acme', evil, 'date'],
    ['audit', 'show'],
    ['doctor'],
    ['identity', 'export', evil],
    [evil],
  ];
  const ran = await runAll(paths.data, commands);
  const told = ran.map(({ text }, index) => ({ what: JSON.stringify(commands[index]), text }));
  for (const { what, text } of told) {
    assert.deepEqual(findBare(text), [], what);
    assert.doesNotMatch(text, /defect of Dropslot/, what);
  }
  const many = told.filter(({ text }) => text.includes('EVIL')).length;
  assert.ok(many > 20, String(many));
  assert.notEqual(log, '');
  assert.deepEqual(findBare(log), []);
  let texts = 0;
  for await (const { path, kind } of listFiles(control.read, 'acme', '/')) {
    if (kind === 'dir' || !/^\/(?:reports\/|README)/.test(path) || !/\.(?:txt|json)$/.test(path)) continue;
    const text = await acme.read(path);
    assert.deepEqual(findBare(text), [], path);
    if (path.endsWith('.json')) continue;
    assert.deepEqual(findUnquoted(text), [], path);
    texts++;
  }
  assert.ok(texts >= 4, String(texts));
});
