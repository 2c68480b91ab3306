/** The demo of the README: it ends by itself, tells the essential facts, and can be run again. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { DateTime } from 'luxon';
import { createCompany } from '../../demo/company.js';
import { ProgramError, runProgram } from '../../demo/program.js';
import { until } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';

async function runDemo(folder: string): Promise<string> {
  const { stdout } = await runProgram(process.execPath, ['--import', 'tsx', 'demo/run.ts', folder]);
  return stdout;
}

test('the demo takes a company from sftp to users and teams, twice', async (context) => {
  const folder = join(temporaryFolder(context), 'demo');
  const company = createCompany(DateTime.utc(2026, 1, 15));
  for (const text of [await runDemo(folder), await runDemo(folder)]) {
    const told = text.split('\n').map((line) => line.trim());
    const near = (pattern: RegExp) =>
      assert.ok(
        told.some((line) => pattern.test(line)),
        `${pattern} in:\n${text}`,
      );
    for (const { lines, severity, about, file } of company.mistakes) {
      const [at, anywhere] = [new RegExp(`^line (${lines.join('|')}) +${severity} `), `${about} of ${file}`];
      assert.ok(
        told.some((line) => at.test(line)),
        `${anywhere} (${at}) in:\n${text}`,
      );
    }
    near(/age-encryption\.org\/v1/);
    near(/^\/archive\/\d{4}-\d\d-\d\d$/);
    near(/ users\.csv$/);
    near(/^│ .*├─ Mobile \(Squad\): \d+ members, owner .+@acme\.test$/);
    near(/^HELD: nothing is applied until an operator approves it\.$/);
    near(/would deactivate \d+ of \d+ active users; more than 10%/);
    near(/^Users: \d+ updated \(\d+ of them to be deactivated\)$/);
    if (existsSync('/usr/sbin/sshd')) near(/^on the server of globex the file is now in done: users\.csv\.pgp$/);
    near(/^npx dropslot .* users list acme$/);
    near(/The web console: http:\/\/127\.0\.0\.1:\d+, served by "npm run demo -- --keep"$/);
  }
});

test('with --keep it serves the console, whose invitations open, until Ctrl-C', async (context) => {
  const folder = join(temporaryFolder(context), 'demo');
  const child = spawn(process.execPath, ['--import', 'tsx', 'demo/run.ts', folder, '--keep'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  context.after(() => child.kill('SIGKILL'));
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
  const ended = once(child, 'close');
  const isServed = () => text.includes('Ctrl-C ends the server.');
  await until(() => isServed() || child.exitCode !== null, 'the console of the demo', 300_000);
  assert.ok(isServed(), text);
  const address = /The web console: (http:\/\/127\.0\.0\.1:\d+), served now/.exec(text)?.[1];
  assert.ok(address !== undefined, text);
  const links = text.match(/http:\/\/127\.0\.0\.1:\d+\/\S+/g) ?? [];
  assert.equal(links.length, 2, text);
  for (const link of links) {
    assert.ok(link.startsWith(`${address}/`));
    const page = await fetch(link);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /@(dropslot|acme)\.test/);
  }
  child.kill('SIGINT');
  await ended;
  await assert.rejects(fetch(address), 'its server has ended, too');
});

test('the demo removes nothing that it did not make', async (context) => {
  const folder = join(temporaryFolder(context), 'mine');
  await mkdir(folder);
  await writeFile(join(folder, 'thesis.txt'), 'the only copy');
  await assert.rejects(runDemo(folder), (error: Error) => {
    assert.ok(error instanceof ProgramError);
    assert.match(error.message, /is not a folder of the demo/);
    return true;
  });
  assert.equal(await readFile(join(folder, 'thesis.txt'), 'utf8'), 'the only copy');
});
