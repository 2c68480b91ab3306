/** `dropslot status`: the state of the installation on one screen. */

import type { Command } from 'commander';
import { statusToJson } from '../../operations/forms/server.js';
import { countOpenSessions } from '../../operations/sessions.js';
import { readStatus } from '../../operations/status.js';
import { appOf } from '../app.js';
import { atControl, examples } from '../command.js';
import { renderStatus, statusTints } from '../views/status.js';

export function registerStatus(program: Command): void {
  program
    .command('status')
    .summary('show the state of the server on one screen')
    .description(
      'Shows the importer, open sessions, the queue, runs that are held or failed, alarms, the next slots, disk space, the last backup, and keys that expire.',
    )
    .addHelpText('after', examples('dropslot status', 'dropslot status --json'))
    .action((_options, command: Command) =>
      atControl(command, async (workplace, out) => {
        const status = await readStatus(workplace, appOf(command).version);
        const sessions = await countOpenSessions(workplace);
        const now = workplace.now();
        const text = renderStatus(status, sessions, now);
        await out.show({ ...statusToJson(status), sessions }, text, statusTints(status, now));
      }),
    );
}
