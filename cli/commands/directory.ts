/** `dropslot directory …`: seal and unseal directory.db, the users and teams at rest. */
import type { Command } from 'commander';
import {
  type SealReport,
  type SealView,
  sealDirectory,
  unsealDirectory,
  viewSeal,
} from '../../operations/directoryseal.js';
import { atWorkplace, examples } from '../command.js';

export function registerDirectory(program: Command): void {
  const directory = program.command('directory').description('seal the database of users and teams at rest');
  directory
    .command('show')
    .summary('say whether directory.db is sealed')
    .description('Says whether directory.db is sealed. Works while the server runs, and needs no key.')
    .addHelpText('after', examples('dropslot directory show', 'dropslot directory show --json'))
    .action((_options, command: Command) =>
      atWorkplace(
        command,
        async (workplace, out) => {
          const view = viewSeal(workplace);
          await out.show(view, describeView(view));
        },
        closed,
      ),
    );
  directory
    .command('seal')
    .summary('encrypt directory.db')
    .description(
      `Encrypts directory.db under a new key, which the master key opens, and overwrites the old file. Stop the server first. It
needs free space for a second copy. If it was interrupted, repeat it.`,
    )
    .addHelpText('after', examples('dropslot directory seal'))
    .action((_options, command: Command) =>
      atWorkplace(
        command,
        async (workplace, out) => {
          const report = await sealDirectory(workplace);
          await out.show(report, describeReport(report));
          if (workplace.settings.sealDirectory !== 'on')
            out.note('Set sealDirectory to on, so that Dropslot never starts with a directory.db that is not sealed.');
          out.note(
            'Older backups still have users and teams in the clear: take a new backup, and destroy the older ones.',
          );
        },
        closed,
      ),
    );
  directory
    .command('unseal')
    .summary('write directory.db in the clear')
    .description(
      `Decrypts directory.db, and deletes its key. Stop the server first. It needs free space for a second copy. If it was
interrupted, repeat it.`,
    )
    .addHelpText('after', examples('dropslot directory unseal'))
    .action((_options, command: Command) =>
      atWorkplace(
        command,
        async (workplace, out) => {
          const report = await unsealDirectory(workplace);
          await out.show(report, describeReport(report));
        },
        closed,
      ),
    );
}

/** These commands also work where directory.db can't be opened. */
const closed = { withoutDirectory: true };

function describeReport({ isSealed, isChanged }: SealReport): string {
  const [done, before] = isSealed ? ['sealed directory.db', 'sealed'] : ['unsealed directory.db', 'not sealed'];
  return isChanged ? `${done[0]!.toUpperCase()}${done.slice(1)}.` : `directory.db was ${before} already.`;
}

function describeView({ state, leftovers }: SealView): string {
  const states = {
    sealed: 'directory.db is sealed.',
    plain: 'directory.db is not sealed: users and teams are in it in the clear.',
    none: "Users and teams are in PostgreSQL, which Dropslot does not seal: encrypt PostgreSQL's volume.",
  };
  const left = leftovers.map((path) => `A command that was interrupted left ${path}: run it again.`);
  return [states[state], ...left].join('\n');
}
