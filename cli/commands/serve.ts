/** `dropslot serve`. */
import type { Command } from 'commander';
import { appOf } from '../app.js';
import { examples, outputOf, settingsOf } from '../command.js';

interface ServeOptions {
  port?: string;
  host?: string;
  listen?: string[];
  role?: string;
}

export function registerServe(program: Command): void {
  program
    .command('serve')
    .summary('run the SFTP server, and the importer inside it')
    .description(
      'Runs the SFTP server, and the importer inside it, until SIGTERM or SIGINT. The first start makes what is missing.',
    )
    .option('--port <port>', 'TCP port, 0 for a free one (default: 2222)')
    .option('--host <address>', 'address to listen on (default: every address)')
    .option(
      '--listen <host:port>',
      'in place of both, and may be repeated: 192.0.2.7:2222, [::1]:2222, *:2223/compatible',
      (endpoint: string, others: string[] = []) => [...others, endpoint],
    )
    .option('--role <role>', 'all, intake (uploads only) or import (slots and imports only)')
    .addHelpText(
      'after',
      examples('dropslot serve', 'dropslot serve --data /var/lib/dropslot --host 10.0.0.5 --port 22'),
    )
    .action(async ({ port, host, listen, role }: ServeOptions, command: Command) => {
      const logFormat = outputOf(command).json ? 'json' : undefined;
      await appOf(command).serve(settingsOf(command, { port, host, listen, role, logFormat }));
      // Whatever a library may have left running must not keep a stopped server alive.
      process.exit(0);
    });
}
