/**
 * Runs every command of the program, one after the other, in this process: on a data folder that something is wrong with. Prints a
 * line of JSON for each: its words, its exit code, what it wrote, and errors that nothing caught.
 */
import { basename } from 'node:path';
import type { Argument, Command } from 'commander';
import { openWorkplace } from '../../app/compose.js';
import type { App } from '../../cli/app.js';
import { reportEnding } from '../../cli/exit.js';
import { groups } from '../../cli/groups.js';
import { createProgram } from '../../cli/program.js';

const [, , data, file, pragma = '', every = '1', from = '0'] = process.argv;

/** Processes that go on until they are stopped, and those that only an sshd or a shell starts: they have tests of their own. */
const left = new Set(['serve', 'sftp-server', 'authorized-keys', 'completion', 'help']);

const app: App = {
  version: 'test',
  serve: async () => {},
  runSubsystem: async () => 0,
  openWorkplace: async (settings, options) => {
    const workplace = await openWorkplace(settings, options);
    // A command waits two minutes for a lock; a test does not.
    if (pragma !== '') await workplace.control.write.raw(pragma);
    if (pragma !== '' && workplace.directory.withheld === undefined) await workplace.directory.write.raw(pragma);
    return workplace;
  },
};

const uncaught: string[] = [];
process.on('unhandledRejection', (cause) => uncaught.push(String((cause as Error)?.stack ?? cause)));
process.on('uncaughtException', (cause) => uncaught.push(String(cause.stack ?? cause)));

const written: string[] = [];
const tell = process.stdout.write.bind(process.stdout);
process.stdout.write = ((text: string | Uint8Array) => written.push(String(text)) > 0) as never;
process.stderr.write = ((text: string | Uint8Array) => written.push(String(text)) > 0) as never;

const loaded = await Promise.all(groups.map(({ load }) => load()));
for (const [turn, path] of [...leaves(createProgram(loaded, app))].entries()) {
  if (turn % Number(every) !== Number(from)) continue;
  // It waits two minutes for a database that is locked, on a connection of its own.
  if (pragma !== '' && path[0] === 'backup') continue;
  const command = find(createProgram(loaded, app), path);
  const words = [
    ...path,
    ...command.registeredArguments.filter(({ required }) => required).map(wordFor),
    ...optionsOf(command),
  ];
  written.length = uncaught.length = 0;
  let code = 0;
  try {
    await createProgram(loaded, app).parseAsync(['node', 'dropslot', '--data', data!, ...words]);
    code = Number(process.exitCode ?? 0);
  } catch (error) {
    code = reportEnding(error, false, process.stderr);
  }
  process.exitCode = 0;
  await new Promise(setImmediate);
  tell(`${JSON.stringify({ words: words.join(' '), code, text: written.join(''), uncaught })}\n`);
}

function* leaves(command: Command, path: string[] = []): Generator<string[]> {
  if (command.commands.length === 0) yield path;
  for (const child of command.commands) if (!left.has(child.name())) yield* leaves(child, [...path, child.name()]);
}

function find(command: Command, [name, ...rest]: string[]): Command {
  return name === undefined ? command : find(command.commands.find((child) => child.name() === name)!, rest);
}

function wordFor(argument: Argument): string {
  const values: Record<string, string> = {
    org: 'acme',
    id: '1',
    email: 'ann@acme.test',
    file: file!,
    path: `/${basename(file!)}`,
    dir: `${file}.copy`,
    'key=value': 'slot=03:00',
    'field=value': 'User Name=Ann',
  };
  return values[argument.name()] ?? argument.argChoices?.[0] ?? 'x';
}

/** Options that a command must have, and the consent that it asks for. */
function optionsOf(command: Command): string[] {
  return command.options.flatMap(({ long, mandatory, required }) => {
    if (long === '--yes') return ['--yes'];
    if (!mandatory) return [];
    return required ? [long!, long === '--owner' ? 'jane@acme.test' : 'x'] : [long!];
  });
}
