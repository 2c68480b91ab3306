/** `dropslot sessions …`: list and end the open sessions of SFTP clients. */
import type { Command } from 'commander';
import { OperationError } from '../../operations/error.js';
import { endedToJson } from '../../operations/forms/sessions.js';
import { endSessions, listOpenSessions } from '../../operations/sessions.js';
import { atControl, examples } from '../command.js';
import { renderEnded, sessionList } from '../views/sessions.js';

export function registerSessions(program: Command): void {
  const sessions = program
    .command('sessions')
    .summary('open sessions of SFTP clients')
    .description('list and end the open sessions of SFTP clients');
  sessions
    .command('list')
    .summary('list the open sessions')
    .description(
      `Lists the open sessions of all server processes, oldest first: organization, key, address and client, the files and bytes since
the login, and the transfer in progress with its rate. A session appears within two seconds of its login.`,
    )
    .argument('[org]', 'of this organization only')
    .addHelpText('after', examples('dropslot sessions list', 'dropslot sessions list acme --json'))
    .action((org: string | undefined, _options, command: Command) =>
      atControl(command, async (place, out) => out.list(await listOpenSessions(place, org), sessionList)),
    );
  sessions
    .command('end')
    .summary('end sessions now')
    .description(
      `Ends sessions within about a second, and waits for that. An upload in progress is not published; its client may resume it. The
key may log in again, unless you revoke it or disable its organization.`,
    )
    .argument('[session...]', 'ids, from "dropslot sessions list"')
    .option('--org <org>', 'all sessions of an organization')
    .addHelpText('after', examples('dropslot sessions end 4f0c2a91', 'dropslot sessions end --org acme'))
    .action((ids: string[], { org }: { org?: string }, command: Command) => {
      if ((ids.length === 0) === (org === undefined))
        throw new OperationError('usage', 'name sessions by their ids, or an organization with --org');
      return atControl(command, async (place, out) => {
        const outcome = await endSessions(place, org === undefined ? { ids } : { org });
        await out.show(endedToJson(outcome), renderEnded(outcome));
        const { waiting } = outcome;
        if (waiting.length > 0)
          throw new OperationError(
            'failed',
            `sessions that are still open: ${waiting.map(({ id, server }) => `${id} (of server ${server})`).join(', ')}; list them again with "dropslot sessions list"`,
          );
      });
    });
}
