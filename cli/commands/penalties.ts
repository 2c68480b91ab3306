/** `dropslot penalties …`: list and end the penalties of addresses. */

import type { Command } from 'commander';
import { OperationError } from '../../operations/error.js';
import { formatTime } from '../../operations/format.js';
import { penaltyToJson } from '../../operations/forms/server.js';
import { forgivePenalties, listActivePenalties, type Penalty, readSource } from '../../operations/penalties.js';
import { atControl, examples } from '../command.js';
import type { ListView } from '../output.js';

export function registerPenalties(program: Command): void {
  const penalties = program
    .command('penalties')
    .summary('penalties of addresses')
    .description('list and end the penalties of addresses');
  penalties
    .command('list')
    .summary('list the addresses that may not connect for now')
    .description(
      'Lists the addresses that may not connect for now, on every node, with the cause of each penalty. An address with a user name is open to other users.',
    )
    .addHelpText('after', examples('dropslot penalties list'))
    .action((_options, command: Command) =>
      atControl(command, async (workplace, out) =>
        out.list(await listActivePenalties(workplace), penaltyList(workplace.now())),
      ),
    );
  penalties
    .command('forgive')
    .summary('let an address connect again')
    .description(
      'Ends the penalties of an address, of user names at it and of its IPv6 /48, and clears its record. Running servers apply this within seconds.',
    )
    .argument('[address]', 'an IPv4 address, or an IPv6 address, which stands for its whole /64')
    .option('--all', 'every address')
    .addHelpText('after', examples('dropslot penalties forgive 192.0.2.7', 'dropslot penalties forgive --all'))
    .action((address: string | undefined, { all }: { all?: boolean }, command: Command) => {
      if ((address === undefined) === (all !== true))
        throw new OperationError('usage', 'name an address, or use --all');
      const source = address === undefined ? null : readSource(address);
      return atControl(command, async (workplace, out) => {
        const forgiven = await forgivePenalties(workplace, source);
        await out.show({ source, forgiven }, describeForgiven(source, forgiven));
      });
    });
}

/** @param source null: every address. */
function describeForgiven(source: string | null, forgiven: number): string {
  if (forgiven === 0) return `${source ?? 'No address'} had no penalty; earlier failed attempts no longer count.`;
  return `Ended the penalty of ${source ?? (forgiven === 1 ? '1 address' : `${forgiven} addresses`)}.`;
}

function penaltyList(now: number): ListView<Penalty> {
  return {
    columns: [
      { title: 'ADDRESS', cell: ({ source }) => source, whole: true },
      { title: 'SECONDS LEFT', cell: ({ until }) => String(Math.ceil((until - now) / 1000)), align: 'right' },
      { title: 'UNTIL', cell: ({ until }) => formatTime(until) },
      { title: 'IN A ROW', cell: ({ strikes }) => String(strikes), align: 'right' },
      { title: 'CAUSE', cell: ({ cause }) => cause },
    ],
    empty: 'No address has a penalty.',
    toJson: penaltyToJson,
  };
}
