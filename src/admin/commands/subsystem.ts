/** `dropslot sftp-server`. */
import type { Command } from 'commander';
import { examples, settingsOf } from '../command.js';
import { reportEnding } from '../exit.js';
import { runSubsystem } from '../subsystem.js';

interface SubsystemOptions {
  org: string;
  readOnly?: boolean;
  role?: string;
  log?: string;
}

export function registerSubsystem(program: Command): void {
  program
    .command('sftp-server')
    .summary("serve one SFTP session on standard input and output, behind OpenSSH's sshd")
    .description(
      `Serves one SFTP session of an organization on standard input and output: as the sftp subsystem or the forced command
of an OpenSSH sshd, which then decides who may log in. Works beside a running "dropslot serve".`,
    )
    .requiredOption('--org <org>', 'the organization')
    .option('--read-only', 'refuse whatever changes anything')
    .option('--role <role>', 'intake: take uploads only, and hold no key that opens a file')
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
      const code = await runSubsystem(settingsOf(command, { role }), { org, readOnly, log: log ?? null }).catch(
        (error) => reportEnding(error, false, process.stderr),
      );
      // Whatever a library may have left running must not keep a client waiting.
      process.exit(code);
    });
}
