/** The command line's grammar: global options, command groups, help. */
import type { Command } from 'commander';
import { type App, Program } from './app.js';
import { exitCodesText } from './exit.js';
import { registerHelp } from './help.js';
import { describeVersion } from './version.js';

/** Adds one group of commands. */
export type Group = (program: Command) => void;

/** @param app starts the processes and opens the workplaces of commands */
export function createProgram(groups: readonly Group[], app: App): Command {
  const program = new Program(app)
    .name('dropslot')
    .description("An SFTP drop box for HR files: every organization's uploads sealed, imported once a day.")
    .version(describeVersion(app), '-V, --version', 'print the version, the build and the Node.js')
    .helpOption('-h, --help', 'explain a command')
    .option('--config <file>', 'JSON file of settings (default: dropslot.json in the data folder)')
    .option('--data <dir>', 'data folder (default: $DROPSLOT_DATA, or ./data)')
    .option('--json', 'print JSON for programs')
    .option('--wide', 'print tables as wide as their texts, also on a terminal')
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .configureHelp({ showGlobalOptions: true, commandDescription: describeCommand })
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
  registerHelp(program);
  return program;
}

/** Joins the lines of the source: the terminal has its own width. A blank line separates paragraphs. */
function describeCommand(command: Command): string {
  return command.description().replace(/(\S)\n(?=\S)/g, '$1 ');
}
