/** `dropslot penalties …`. */
import type { Command } from 'commander';
import { listPenalties, type Penalty } from '../../db/control/penalties.js';
import { OperationError } from '../../operations/error.js';
import { formatTime, isoTime } from '../../operations/format.js';
import { forgivePenalties, readSource } from '../../operations/penalties.js';
import { atWorkplace, examples } from '../command.js';
import type { ListView } from '../output.js';

/** Nobody reads more. */
const mostListed = 10_000;

export function registerPenalties(program: Command): void {
  const penalties = program.command('penalties').description('list and end the pauses of addresses');
  penalties
    .command('list')
    .summary('list the addresses that must pause')
    .description('Lists the addresses that may not connect for now, on every node, with what began their pause.')
    .addHelpText('after', examples('dropslot penalties list'))
    .action((_options, command: Command) =>
      atWorkplace(command, async (workplace, out) =>
        out.list(
          await listPenalties(workplace.control.read, workplace.now(), mostListed),
          penaltyList(workplace.now()),
        ),
      ),
    );
  penalties
    .command('forgive')
    .summary('let an address connect again')
    .description('Ends the pause of an address, and forgets what it did; running servers hear of it within seconds.')
    .argument('[address]', 'an IPv4 or IPv6 address; of an IPv6 one its whole /64')
    .option('--all', 'every address')
    .addHelpText('after', examples('dropslot penalties forgive 192.0.2.7', 'dropslot penalties forgive --all'))
    .action((address: string | undefined, { all }: { all?: boolean }, command: Command) => {
      if ((address === undefined) === (all !== true))
        throw new OperationError('usage', 'name an address, or say --all');
      const source = address === undefined ? null : readSource(address);
      return atWorkplace(command, async (workplace, out) => {
        const forgiven = await forgivePenalties(workplace, source);
        await out.show({ source, forgiven }, describeForgiven(source, forgiven));
      });
    });
}

/** @param source null: every address. */
function describeForgiven(source: string | null, forgiven: number): string {
  if (forgiven === 0) return `${source ?? 'No address'} had no pause; what was counted so far is forgotten.`;
  return `Forgave ${source ?? (forgiven === 1 ? '1 address' : `${forgiven} addresses`)}.`;
}

function penaltyList(now: number): ListView<Penalty> {
  return {
    columns: [
      { title: 'ADDRESS', cell: ({ source }) => source },
      { title: 'SECONDS LEFT', cell: ({ until }) => String(Math.ceil((until - now) / 1000)), align: 'right' },
      { title: 'UNTIL', cell: ({ until }) => formatTime(until) },
      { title: 'IN A ROW', cell: ({ strikes }) => String(strikes), align: 'right' },
      { title: 'CAUSE', cell: ({ cause }) => cause },
    ],
    empty: 'No address must pause.',
    toJson: ({ source, until, strikes, cause, beganAt }) => ({
      source,
      until: isoTime(until),
      inARow: strikes,
      cause,
      beganAt: isoTime(beganAt),
    }),
  };
}
