/** The command line's grammar: every command explains itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import type { App } from '../../cli/app.js';
import { groups, loadGroups } from '../../cli/groups.js';
import { createProgram } from '../../cli/program.js';
import type { WorkplaceOptions } from '../../operations/workplace.js';

const all = await loadGroups();
const unused = () => assert.fail('help and versions start nothing');
const app: App = { version: '0.0.0', serve: unused, runSubsystem: unused, openWorkplace: unused };

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (more) => {
      text += more;
    },
  });
  command.outputHelp();
  return text;
}

function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

test('the help of the whole fits a screen', () => {
  const help = helpOf(createProgram(all, app));
  assert.ok(help.split('\n').length <= 70, help);
  assert.match(help, /Exit codes: 0 done/);
});

test('the help of every command has an example of that very command', () => {
  for (const leaf of leavesOf(createProgram(all, app))) {
    const path = [leaf.name()];
    for (let parent = leaf.parent; parent !== null; parent = parent.parent) path.unshift(parent.name());
    const examples = helpOf(leaf).split('Examples:')[1];
    assert.ok(examples?.includes(path.join(' ')), path.join(' '));
    assert.notEqual(leaf.summary() || leaf.description(), '', path.join(' '));
  }
});

test('the version is the package’s', () => {
  assert.match(createProgram(all, app).version()!, /^dropslot \d+\.\d+\.\d+$/);
});

test('each group adds the commands that it is found by', async () => {
  for (const { commands, load } of groups) {
    const program = new Command();
    (await load())(program);
    assert.deepEqual(new Set(program.commands.map((command) => command.name())), new Set(commands));
  }
  assert.equal((await loadGroups('orgs')).length, 1);
  for (const word of ['--version', '-V']) assert.deepEqual(await loadGroups(word), []);
  for (const word of ['help', '--help', 'ogrs', undefined])
    assert.equal((await loadGroups(word)).length, groups.length);
});

/** Commands that work with control.db alone, with arguments that are right, and some that need directory.db. */
const withoutDirectory: Readonly<Record<string, boolean>> = {
  'alarms list': true,
  'audit verify': true,
  'files list acme': true,
  'handlers list': true,
  'hooks show sub_1': true,
  'hostkeys list': true,
  'keys list acme': true,
  'keys revoke acme SHA256:x': true,
  'orgs list': true,
  'penalties list': true,
  'queue acme': true,
  'runs list': true,
  'runs show 1': true,
  status: true,
  'tokens list': true,
  'webhooks list': true,
  'import acme': false,
  'orgs show acme': false,
  'runs show 1 --changes': false,
  'users list acme': false,
  'webhooks enable sub_1': false,
};

for (const [line, isWithout] of Object.entries(withoutDirectory))
  test(`dropslot ${line} opens directory.db: ${isWithout ? 'no' : 'yes'}`, async () => {
    let options: WorkplaceOptions | undefined;
    const opened = new Error('opened');
    const openWorkplace = async (_settings: unknown, given?: WorkplaceOptions) => {
      options = given;
      throw opened;
    };
    const program = createProgram(all, { ...app, openWorkplace });
    await assert.rejects(program.parseAsync(['node', 'dropslot', ...line.split(' ')]), opened);
    assert.equal(options?.withoutDirectory ?? false, isWithout);
  });
