/** `dropslot config …`: show the settings with the place that each is from, and check them. */
import type { Command } from 'commander';
import { listServerSettings, type ShownSetting, settingText } from '../../operations/settings.js';
import { choiceOf, examples, outputOf } from '../command.js';
import type { ListView } from '../output.js';

export function registerConfig(program: Command): void {
  const config = program
    .command('config')
    .summary('settings of the server')
    .description('show and check the settings of the server');
  config
    .command('show')
    .summary('show the settings that differ from their default')
    .description('Shows the settings of the server that differ from their default, and where each is from.')
    .option('--all', 'show every setting')
    .addHelpText('after', examples('dropslot config show', 'dropslot --config dropslot.json config show --all'))
    .action(({ all }: { all?: boolean }, command: Command) => {
      const settings = listServerSettings(choiceOf(command));
      return outputOf(command).list(
        settings.filter(({ origin }) => all === true || origin !== 'default'),
        settingList,
      );
    });
  config
    .command('check')
    .summary('check the settings, and start nothing')
    .description(
      'Checks the settings file, the environment and the options as "serve" would. Starts and changes nothing.',
    )
    .addHelpText(
      'after',
      examples('dropslot config check', 'dropslot config check --config /etc/dropslot/dropslot.json'),
    )
    .action((_options, command: Command) => {
      const given = listServerSettings(choiceOf(command)).filter(({ origin }) => origin !== 'default');
      const settings = given.length === 1 ? '1 setting differs' : `${given.length} settings differ`;
      return outputOf(command).show(
        { valid: true, given: given.length },
        `The settings are valid; ${settings} from the default.`,
      );
    });
}

const settingList: ListView<ShownSetting> = {
  columns: [
    { title: 'SETTING', cell: ({ name }) => name, whole: true },
    { title: 'VALUE', cell: ({ value }) => settingText(value) },
    { title: 'FROM', cell: ({ origin }) => origin },
  ],
  empty: 'Every setting has its default; --all shows them.',
  toJson: (setting) => setting,
};
