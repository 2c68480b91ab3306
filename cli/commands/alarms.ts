/** `dropslot alarms list`: files that are missing or unusual, and sources and watched folders from which no files can be taken. */
import type { Command } from 'commander';
import { listAlarmsOf, type ShownAlarm } from '../../operations/alarms.js';
import { formatTime } from '../../operations/format.js';
import { alarmToJson } from '../../operations/forms/server.js';
import { atControl, examples } from '../command.js';
import type { ListView } from '../output.js';

export function registerAlarms(program: Command): void {
  const alarms = program
    .command('alarms')
    .summary('missing or unusual files, failing sources')
    .description('list the alarms about the files of organizations and about their sources and watched folders');
  alarms
    .command('list')
    .summary('list the open alarms')
    .description(
      'Lists the open alarms of an organization, or of all: files that are missing, much smaller than usual, or unchanged for too long; sources and watched folders from which no files can be taken.',
    )
    .argument('[org]', 'only the alarms of this organization')
    .option('--all', 'list also those that are over')
    .addHelpText('after', examples('dropslot alarms list', 'dropslot alarms list acme --all'))
    .action((org: string | undefined, { all }: { all?: boolean }, command: Command) =>
      atControl(command, async (workplace, out) =>
        out.list(await listAlarmsOf(workplace, { org, resolved: all === true }), alarmList),
      ),
    );
}

const alarmList: ListView<ShownAlarm> = {
  columns: [
    { title: 'ORGANIZATION', cell: ({ org }) => org, whole: true },
    { title: 'SUBJECT', cell: ({ subject }) => subject },
    { title: 'KIND', cell: ({ kind }) => kind, tint: ({ resolvedAt }) => (resolvedAt === null ? 'yellow' : null) },
    { title: 'OPENED', cell: ({ openedAt }) => formatTime(openedAt) },
    { title: 'OVER', cell: ({ resolvedAt }) => formatTime(resolvedAt) },
    { title: 'MESSAGE', cell: ({ message }) => message },
  ],
  empty: 'No open alarm.',
  toJson: alarmToJson,
};
