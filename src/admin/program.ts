/** The command line's grammar: global options, command groups, help. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { registerBackup } from './commands/backup.js';
import { registerDoctor } from './commands/doctor.js';
import { registerFiles } from './commands/files.js';
import { registerIdentity } from './commands/identity.js';
import { registerKeys } from './commands/keys.js';
import { registerOrgs } from './commands/orgs.js';
import { registerQueue } from './commands/queue.js';
import { registerRuns } from './commands/runs.js';
import { registerServe } from './commands/serve.js';
import { registerTeams } from './commands/teams.js';
import { registerUsers } from './commands/users.js';
import { exitCodesText } from './exit.js';

/** Each adds one group of commands; the order is the order of the help. */
const groups: readonly ((program: Command) => void)[] = [
  registerServe,
  registerOrgs,
  registerKeys,
  registerQueue,
  registerFiles,
  registerRuns,
  registerUsers,
  registerTeams,
  registerIdentity,
  registerDoctor,
  registerBackup,
];

export function createProgram(): Command {
  const program = new Command('dropslot')
    .description("An SFTP drop box for HR files: every organization's uploads sealed, imported once a day.")
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'explain a command')
    .helpCommand('help [command]', 'explain a command')
    .option('--config <file>', 'JSON file of settings (default: dropslot.json in the data folder)')
    .option('--data <dir>', 'data folder (default: $DROPSLOT_DATA, or ./data)')
    .option('--json', 'print JSON for programs')
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .configureHelp({ showGlobalOptions: true })
    .addHelpText(
      'after',
      `
Begin with:
  dropslot orgs add acme --owner jane@acme.test --enable
  dropslot keys add acme ./acme.pub
  dropslot serve

${exitCodesText}`,
    );
  for (const register of groups) register(program);
  return program;
}

function readVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
