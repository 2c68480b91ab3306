/** `dropslot serve`: run the SFTP server and the importer. */
import type { Command } from 'commander';
import { appOf } from '../app.js';
import { choiceOf, examples, outputOf, settingsOf } from '../command.js';

interface ServeOptions {
  port?: string;
  host?: string;
  listen?: string[];
  role?: string;
}

export function registerServe(program: Command): void {
  program
    .command('serve')
    .summary('run the SFTP server and the importer')
    .description(
      'Runs the SFTP server and the importer until SIGTERM or SIGINT. The first start makes the databases and keys.',
    )
    .option('--port <port>', 'TCP port, 0 for a free one (default: 2222)')
    .option('--host <address>', 'address to listen on (default: every address)')
    .option(
      '--listen <host:port>',
      'instead of --host and --port; repeatable: 192.0.2.7:2222, [::1]:2222, *:2223/compatible',
      (endpoint: string, others: string[] = []) => [...others, endpoint],
    )
    .option('--role <role>', 'all, intake (uploads only) or import (slots and imports only)')
    .addHelpText(
      'after',
      examples('dropslot serve', 'dropslot serve --data /var/lib/dropslot --host 10.0.0.5 --port 22'),
    )
    .action(async ({ port, host, listen, role }: ServeOptions, command: Command) => {
      const logFormat = outputOf(command).json ? 'json' : undefined;
      const overrides = { port, host, listen, role, logFormat };
      await appOf(command).serve(settingsOf(command, overrides), choiceOf(command, overrides));
      // A timer or socket that a library left open must not keep a stopped server alive.
      process.exit(0);
    });
}
