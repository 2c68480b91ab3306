/** `dropslot hooks …`: commands that the server runs with the events. */
import type { Command } from 'commander';
import { OperationError } from '../../operations/error.js';
import { addHook, type NewHook } from '../../operations/hooks.js';
import { commandKind } from '../../operations/subscribers.js';
import { atWorkplace, examples } from '../command.js';
import { registerCommon, withCommonOptions } from './subscribers.js';

const mostSeconds = 3600;

interface AddOptions extends Omit<NewHook, 'args' | 'timeLimitSeconds'> {
  args?: string[];
  timeLimit?: number;
}

export function registerHooks(program: Command): void {
  const group = program.command('hooks').description('run commands of this machine with the events');
  withCommonOptions(
    group
      .command('add')
      .summary('add a command')
      .description(
        'Adds a command: the server runs it for each event or batch from now on, with the event as JSON on its standard input. There is no shell; the environment has PATH, LANG, DROPSLOT_EVENT_ID, DROPSLOT_EVENT_TYPE and DROPSLOT_EVENT_ORG only. Exit code 0: done. 10: skip this event. Any other: try again later.',
      )
      .argument('[arguments...]', 'arguments of the program, after --')
      .requiredOption('--run <program>', 'absolute path of the program'),
  )
    .option('--args <arguments...>', 'arguments of the program that do not begin with a hyphen')
    .option('--folder <path>', 'absolute path of the folder in which it runs (default: the folder of the program)')
    .option(
      '--time-limit <seconds>',
      'end it, and all processes that it started, after this time (default: 30)',
      readLimit,
    )
    .addHelpText(
      'after',
      examples(
        "dropslot hooks add --types 'run.held,alarm.*' --run /usr/local/bin/page-operator",
        'dropslot hooks add --org acme --types run.completed --run /opt/sync/pull.sh -- --org acme',
      ),
    )
    .action((positional: string[], { args = [], timeLimit, ...options }: AddOptions, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const limit = timeLimit === undefined ? {} : { timeLimitSeconds: timeLimit };
        const added = await addHook(workplace, { ...options, ...limit, args: [...args, ...positional] });
        await out.show(added, `Added the hook ${added.id}.\nTry it with: dropslot hooks test ${added.id}`);
      }),
    );
  registerCommon(group, commandKind);
}

function readLimit(text: string): number {
  if (!/^\d{1,4}$/.test(text) || Number(text) < 1 || Number(text) > mostSeconds)
    throw new OperationError('usage', `--time-limit takes a number of seconds from 1 to ${mostSeconds}, not "${text}"`);
  return Number(text);
}
