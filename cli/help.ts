/** `dropslot help …` for commands of any depth, and the usage that a wrong call gets to see. */
import type { Command } from 'commander';
import { OperationError } from '../operations/error.js';
import { unknownWord } from '../operations/unknownword.js';

export function registerHelp(program: Command): void {
  program
    .helpCommand(false)
    .command('help')
    .summary('explain a command')
    .description('Explains a command: its arguments, options and examples.')
    .argument('[command...]', 'the words of the command')
    .addHelpText('after', '\nExamples:\n  dropslot help orgs add\n  dropslot help check')
    .action((words: string[]) => {
      process.stdout.write(renderHelp(findCommand(program, words)));
    });
}

/** @throws OperationError `usage`, with the nearest command */
function findCommand(program: Command, words: readonly string[]): Command {
  return words.reduce((parent, word) => {
    const found = parent.commands.find((each) => each.name() === word);
    if (found !== undefined) return found;
    const known = parent.commands.map((each) => each.name());
    const whole = [...pathOf(parent), word].join(' ');
    if (known.length === 0)
      throw new OperationError('usage', `"${pathOf(parent).join(' ')}" has no commands of its own`);
    throw unknownWord(`unknown command "${whole}"`, word, known);
  }, program);
}

/** The usage line and the first example of a command; null for a group of commands. */
export function describeUse(command: Command): string | null {
  if (command.commands.length > 0) return null;
  const [, examples] = renderHelp(command).split('\nExamples:\n');
  const example = examples?.split('\n')[0]?.trim();
  const usage = `usage: ${[...pathOf(command), command.usage()].join(' ')}`;
  return example === undefined ? usage : `${usage}; example: ${example}`;
}

export function renderHelp(command: Command): string {
  const texts: string[] = [];
  const { writeOut, ...rest } = command.configureOutput() as { writeOut(text: string): void };
  command.configureOutput({ ...rest, writeOut: (text) => void texts.push(text) });
  command.outputHelp();
  command.configureOutput({ ...rest, writeOut });
  return texts.join('');
}

/** The words that call a command. */
export function pathOf(command: Command): string[] {
  return command.parent === null ? [command.name()] : [...pathOf(command.parent), command.name()];
}
