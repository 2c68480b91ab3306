/** `dropslot events …`: list events, show one, deliver them again, and print their types and schemas. */
import type { Command } from 'commander';
import { DateTime } from 'luxon';
import { OperationError } from '../../operations/error.js';
import {
  describeSchemas,
  type EventQuery,
  listTypes,
  replayEvents,
  showEvent,
  walkEvents,
  walkLastEvents,
} from '../../operations/events.js';
import { atWorkplace, examples, outputOf } from '../command.js';
import { eventList, typeList } from '../views/events.js';

/** `list` without options prints as many. */
const lastEvents = 50;

export function registerEvents(program: Command): void {
  const group = program
    .command('events')
    .summary('list events, and deliver them again')
    .description('list events, deliver them again, and describe their types');
  withQuery(group.command('list'))
    .summary('list events')
    .description(`Lists events, oldest first; without options the last ${lastEvents}.`)
    .addHelpText(
      'after',
      examples('dropslot events list', "dropslot events list --org acme --type 'run.*' --since 2026-01-31"),
    )
    .action((query: EventQuery, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const isFiltered = Object.keys(query).length > 0;
        await out.list(
          isFiltered ? walkEvents(workplace, query) : await walkLastEvents(workplace, lastEvents),
          eventList,
        );
      }),
    );
  group
    .command('show')
    .summary('print an event as subscribers get it')
    .description('Prints an event as subscribers get it.')
    .argument('<event>', 'id of the event')
    .option('--include <data>', '"personal": with names, addresses and values')
    .addHelpText('after', examples('dropslot events show evt_0123456789abcdef0123456789'))
    .action((id: string, { include }: { include?: string }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        if (include !== undefined && include !== 'personal')
          throw new OperationError('usage', `--include takes "personal", not "${include}"`);
        const event = await showEvent(workplace, id, include === 'personal');
        await out.show(event, JSON.stringify(event, null, 2));
      }),
    );
  withQuery(group.command('replay'))
    .summary('deliver events again')
    .description(
      'Delivers events again, with the same ids, to one subscriber or to every one that is enabled. The running server does it, before newer events. A subscriber gets only events of its organization and types.',
    )
    .option('--to <subscriber>', 'id of a webhook, hook or handler (default: every enabled one)')
    .addHelpText('after', examples('dropslot events replay --since 2026-01-31 --to sub_1a2b3c4d5e6f7081'))
    .action(({ to, ...query }: EventQuery & { to?: string }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const subscribers = await replayEvents(workplace, query, to ?? null);
        const count = subscribers.length;
        await out.show(
          { subscribers },
          `The server delivers the events again to ${count} subscriber${count === 1 ? '' : 's'}.`,
        );
      }),
    );
  group
    .command('types')
    .summary('list the types of events')
    .description('Lists the types of events, with the meaning of each.')
    .addHelpText('after', examples('dropslot events types'))
    .action((_options, command: Command) => outputOf(command).list(listTypes(), typeList));
  group
    .command('schemas')
    .summary('print the JSON Schemas of events')
    .description('Prints the JSON Schema (draft 2020-12) of each type of event, or of one.')
    .option('--type <type>', 'of this type only')
    .addHelpText('after', examples('dropslot events schemas', 'dropslot events schemas --type run.held'))
    .action(async ({ type }: { type?: string }, command: Command) => {
      await outputOf(command).write(`${JSON.stringify(describeSchemas(type ?? null), null, 2)}\n`);
    });
}

function withQuery(command: Command): Command {
  return command
    .option('--org <org>', 'events of one organization')
    .option('--type <types>', 'types, separated by commas: run.*, user.created')
    .option('--since <time>', 'events from a date or time on (ISO 8601, UTC)', readTime)
    .option('--until <time>', 'events before a date or time', readTime);
}

function readTime(text: string): number {
  const time = DateTime.fromISO(text, { zone: 'utc' });
  if (!time.isValid)
    throw new OperationError('usage', `"${text}" is not a date (2026-01-31) or a time (2026-01-31T14:00)`);
  return time.toMillis();
}
