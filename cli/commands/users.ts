/** `dropslot users …`: list, show, change and export the users of an organization. */

import { type Command, Option } from 'commander';
import { OperationError } from '../../operations/error.js';
import { exportUsers } from '../../operations/export.js';
import { historyToJson } from '../../operations/forms/directory.js';
import { showUser, type UserStatus, walkUsers } from '../../operations/users.js';
import { atWorkplace, examples } from '../command.js';
import { renderUser, userList } from '../views/users.js';
import { registerExport } from './export.js';
import { registerUserEdits } from './useredits.js';
import { registerUserErasure } from './usererasure.js';

interface ListOptions {
  status?: UserStatus;
  search?: string;
  limit?: string;
}

export function registerUsers(program: Command): void {
  const users = program
    .command('users')
    .summary('users of an organization')
    .description('list, show, change and export the users of an organization');
  users
    .command('list')
    .summary('list the users of an organization')
    .description('Lists the users of an organization in the order of their email addresses.')
    .argument('<org>')
    .addOption(new Option('--status <status>', 'only users with this status').choices(['active', 'deactivated']))
    .option('--search <text>', 'only users whose address or name contains this text')
    .option('--limit <n>', 'at most this many users')
    .addHelpText(
      'after',
      examples(
        'dropslot users list acme --search jane',
        'dropslot users list acme --status deactivated',
        'dropslot users list acme --json',
      ),
    )
    .action((id: string, { status, search, limit }: ListOptions, command: Command) =>
      atWorkplace(command, (workplace, out) =>
        out.list(walkUsers(workplace, id, { status, search, limit: readLimit(limit) }), userList),
      ),
    );
  users
    .command('show')
    .summary('show one user, and every recorded change')
    .description('Shows a user, and every recorded change with the run, file and line that it comes from.')
    .argument('<org>')
    .argument('<email>')
    .addHelpText('after', examples('dropslot users show acme jane@acme.test'))
    .action((id: string, email: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const shown = await showUser(workplace, id, email);
        await out.show(historyToJson(shown), renderUser(shown));
      }),
    );
  registerUserEdits(users);
  registerUserErasure(users);
  registerExport(users, 'users', exportUsers);
}

/** null: all. */
function readLimit(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new OperationError('usage', `--limit must be a number from 1, not "${text}"`);
  return Number(text);
}
