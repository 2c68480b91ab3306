/** `dropslot templates`: print the template files of an organization, or write them to a folder. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { quoteName } from '../../operations/format.js';
import { makeTemplates } from '../../operations/templates.js';
import { atWorkplace, examples } from '../command.js';
import { once, writePrivateFile } from '../localfiles.js';

export function registerTemplates(program: Command): void {
  program
    .command('templates')
    .summary('write users.csv and teams.csv to fill in')
    .description(
      `Writes the template files that an organization also finds in /templates: users.csv and teams.csv with the exact labels
and its own fields, and example.txt, which explains each column. Without --out they are printed.`,
    )
    .argument('<org>')
    .option('--out <dir>', 'write them to files in this folder')
    .addHelpText('after', examples('dropslot templates acme', 'dropslot templates acme --out ./for-acme'))
    .action((id: string, { out: folder }: { out?: string }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const templates = await makeTemplates(workplace, id);
        if (folder === undefined) {
          const text = templates.map((one) => `== ${one.name}\n\n${one.text.trimEnd()}`).join('\n\n');
          return out.show(Object.fromEntries(templates.map(({ name, text }) => [name, text])), text);
        }
        const files = templates.map(({ name }) => join(folder, name));
        for (const [index, { text }] of templates.entries()) await writePrivateFile(files[index]!, once(text));
        await out.show({ files }, `Wrote ${files.map(quoteName).join(', ')}.`);
      }),
    );
}
