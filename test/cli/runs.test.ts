/** `dropslot runs …` of runs in the wrong state, and lists that are empty or not whole. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { addOrganization } from '../../operations/orgs.js';
import { shownRuns } from '../../operations/runs.js';
import { temporaryFolder } from '../support/temporary.js';

/** Runs commands one after the other. */
function run(data: string, commands: readonly string[]): { code: number; text: string }[] {
  const child = join(import.meta.dirname, `commands.child${import.meta.filename.endsWith('.ts') ? '.ts' : '.js'}`);
  const { stdout, stderr } = spawnSync(process.execPath, [...process.execArgv, child], {
    input: JSON.stringify(commands.map((command) => command.split(' '))),
    encoding: 'utf8',
    env: { ...process.env, DROPSLOT_DATA: data },
  });
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout);
}

test('a list of runs says that there are more only if there are', async (t) => {
  const data = join(temporaryFolder(t), 'data');
  const place = await openWorkplace(settingsSchema.parse({ data }), { create: true });
  await addOrganization(place, 'acme', { ownerEmail: 'jane@acme.test' }, true);
  const open = async (count: number) => {
    const failed = { org_id: 'acme', kind: 'manual', state: 'failed', opened_at: 0, failure: 'the disk is full' };
    await place.control.write('runs').insert(Array.from({ length: count }, () => failed));
  };
  await open(shownRuns);
  const [exact] = run(data, ['runs list']);
  await open(1);
  const [more, limited] = run(data, ['runs list', 'runs list --limit 2']);
  await place.close();
  assert.doesNotMatch(exact!.text, /--limit/);
  assert.match(more!.text, /These are the 50 newest; --limit NUMBER lists more/);
  for (const [{ text }, lines] of [
    [exact!, 50],
    [more!, 50],
    [limited!, 2],
  ] as const)
    assert.equal(text.match(/^ *\d+ .*acme/gm)?.length, lines, text);
});

test('what can not be decided is told before anybody is asked; a filtered list that is empty does not say that there was no run', (t) => {
  const commands = [
    'orgs add acme --owner jane@acme.test',
    'runs list',
    'import acme',
    'runs approve 1',
    'runs reject 1',
    'runs undo 1',
    'runs list --state held',
    'runs list --state done',
  ];
  const [, before, imported, ...decisions] = run(join(temporaryFolder(t), 'data'), commands);
  assert.match(before!.text, /No run yet/);
  assert.equal(imported!.code, 0, imported!.text);
  const expected: [number, RegExp][] = [
    [4, /run 1 is not held: it is done/],
    [4, /run 1 is not held: it is done/],
    [4, /run 1 changed nothing/],
    [0, /No such run/],
    [0, /acme +manual +done/],
  ];
  for (const [index, [code, text]] of expected.entries()) {
    assert.match(decisions[index]!.text, text);
    assert.equal(decisions[index]!.code, code);
  }
});
