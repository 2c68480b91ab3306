/** `dropslot users export` and `dropslot teams export`: the same command over two exports. */
import type { Command } from 'commander';
import { atWorkplace, examples } from '../command.js';
import type { Workplace } from '../compose.js';
import { writePrivateFile } from '../file.js';
import { formatBytes } from '../output.js';

export function registerExport(
  group: Command,
  what: 'users' | 'teams',
  produce: (place: Workplace, org: string) => AsyncGenerator<string>,
): void {
  group
    .command('export')
    .summary(`write the ${what} of an organization as CSV`)
    .description(
      `Writes the ${what} of an organization as CSV under the standard labels. The export is a valid import that changes nothing.`,
    )
    .argument('<org>')
    .option('--out <file>', 'write to a private file, whole or not at all, instead of standard output')
    .addHelpText(
      'after',
      examples(`dropslot ${what} export acme > ${what}.csv`, `dropslot ${what} export acme --out ${what}.csv`),
    )
    .action((id: string, { out: file }: { out?: string }, command: Command) =>
      atWorkplace(command, async (place, out) => {
        if (file === undefined) {
          for await (const text of produce(place, id)) await out.write(text);
        } else {
          const bytes = await writePrivateFile(file, produce(place, id));
          await out.show({ file, bytes }, `Wrote ${file} (${formatBytes(bytes)}).`);
        }
      }),
    );
}
