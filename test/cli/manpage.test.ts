/** The manual pages: each command and option is there, and groff reads them without a warning. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Command } from 'commander';
import type { App } from '../../cli/app.js';
import { loadGroups } from '../../cli/groups.js';
import { pathOf } from '../../cli/help.js';
import { renderManPages } from '../../cli/manpage.js';
import { createProgram } from '../../cli/program.js';

const unused = () => Promise.reject(new Error('not called'));
const app: App = { version: '1.2.3', serve: unused, runSubsystem: unused, openWorkplace: unused };
const program = createProgram(await loadGroups(), app);
const pages = renderManPages(program, '1.2.3');

/** As a reader sees it, in one line. */
function read(page: string): string {
  return page
    .replaceAll('\\-', '-')
    .replace(/\\f[BIR]/g, '')
    .replace(/\\\[u([0-9A-F]+)\]/g, (_, digits: string) => String.fromCodePoint(Number.parseInt(digits, 16)))
    .replace(/\s+/g, ' ');
}

test('package.json lists one page for the program and one for each command; after a change run `npm run docs`', () => {
  const { man } = JSON.parse(readFileSync('package.json', 'utf8')) as { man: string[] };
  assert.deepEqual(
    man,
    [...pages.keys()].sort().map((name) => `./dist/man/${name}`),
  );
  assert.deepEqual(pages.size, program.commands.length, 'all but help, and the program');
});

test('a page has each of its commands with options and examples', () => {
  const check = (command: Command, page: string): void => {
    for (const { flags, description } of command.options) {
      assert.ok(page.includes(flags), `${pathOf(command).join(' ')} ${flags}`);
      assert.ok(page.includes(description.slice(0, 20).replaceAll('\n', ' ')), description);
    }
    if (command.commands.length === 0) assert.ok(page.includes(pathOf(command).join(' ')));
    for (const each of command.commands) check(each, page);
  };
  for (const command of program.commands)
    if (command.name() !== 'help') check(command, read(pages.get(`dropslot-${command.name()}.1`)!));
  const orgs = read(pages.get('dropslot-orgs.1')!);
  assert.match(orgs, /^\.TH "DROPSLOT-ORGS" 1 "" "Dropslot 1\.2\.3"/);
  assert.match(orgs, /Examples: dropslot orgs add acme --owner jane@acme\.test --enable/);
  assert.match(read(pages.get('dropslot.1')!), /Exit codes: 0 done/);
});

test('a line that begins as a request of roff is text', () => {
  for (const [name, page] of pages)
    for (const line of page.split('\n'))
      assert.match(line, /^([^.']|$|\.(TH|SH|SS|TP|PP|nf|fi|nh|ad) ?)/, `${name}: ${line}`);
});

const hasGroff = spawnSync('groff', ['--version']).error === undefined;

test('groff reads every page without a warning', { skip: !hasGroff && 'groff is not installed' }, () => {
  const groff = ['-man', '-Tutf8', '-ww'];
  for (const [name, page] of pages) {
    const { stdout, stderr, status } = spawnSync('groff', groff, { input: page, encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, ''], name);
    assert.ok(stdout.includes('Dropslot 1.2.3'), name);
  }
});
