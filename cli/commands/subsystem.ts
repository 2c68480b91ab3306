/** `dropslot sftp-server` and `authorized-keys`, which an OpenSSH sshd runs. */
import type { Command } from 'commander';
import { listAuthorized } from '../../operations/authorizedkeys.js';
import { appOf } from '../app.js';
import { examples, settingsOf } from '../command.js';
import { reportEnding } from '../exit.js';

interface SubsystemOptions {
  org: string;
  readOnly?: boolean;
  role?: string;
  log?: string;
}

export function registerSubsystem(program: Command): void {
  registerServer(program);
  registerAuthorized(program);
}

function registerServer(program: Command): void {
  program
    .command('sftp-server')
    .summary("serve one session behind OpenSSH's sshd")
    .description(
      `Serves one SFTP session of an organization on standard input and output: as the sftp subsystem or the forced command
of an OpenSSH sshd, which then decides who may log in ("dropslot authorized-keys" gives it the login keys). Works while "dropslot serve"
runs.`,
    )
    .requiredOption('--org <org>', 'the organization')
    .option('--read-only', 'refuse every change')
    .option('--role <role>', 'intake: accept uploads only, and hold no key that opens a file')
    .option(
      '--log <where>',
      'stderr, syslog, or a file (default: syslog under an sshd, which shows standard error to the client)',
    )
    .addHelpText(
      'after',
      examples(
        'Subsystem sftp /usr/bin/dropslot sftp-server --data /var/lib/dropslot --org acme      in sshd_config',
        'ForceCommand /usr/bin/dropslot sftp-server --data /var/lib/dropslot --org "$LOGNAME"',
        `sftp -D 'dropslot sftp-server --org acme'                                              without a network`,
      ),
    )
    .action(async ({ org, readOnly = false, role, log }: SubsystemOptions, command: Command) => {
      const request = { org, readOnly, log: log ?? null };
      const code = await appOf(command)
        .runSubsystem(settingsOf(command, { role }), request)
        .catch((error) => reportEnding(error, false, process.stderr));
      // A timer or socket that a library left open must not keep a client waiting.
      process.exit(code);
    });
}

function registerAuthorized(program: Command): void {
  program
    .command('authorized-keys', { hidden: true })
    .summary("print login keys for OpenSSH's sshd")
    .description(
      `Prints the keys that may log in now as lines of authorized_keys, for the AuthorizedKeysCommand of an OpenSSH sshd that
runs "dropslot sftp-server".`,
    )
    .argument('[org]', 'one organization (default: all)')
    .option('--command <command>', 'make each key run this command, with --org added')
    .addHelpText(
      'after',
      examples(
        'dropslot authorized-keys acme',
        'dropslot authorized-keys --command "/usr/bin/dropslot sftp-server --data /var/lib/dropslot"',
      ),
    )
    .action(async (org: string | undefined, { command: forced }: { command?: string }, command: Command) => {
      const choice = { org: org ?? null, command: forced ?? null };
      const lines = await listAuthorized(settingsOf(command), choice, Date.now());
      process.stdout.write(lines.map((line) => `${line}\n`).join(''));
    });
}
