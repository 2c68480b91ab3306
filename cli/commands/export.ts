/** `dropslot users export` and `dropslot teams export`: write the directory as CSV. */
import type { Command } from 'commander';
import type { OnAdvance } from '../../operations/advance.js';
import { OperationError } from '../../operations/error.js';
import { type ExportFilter, recordExport } from '../../operations/export.js';
import { mailExport } from '../../operations/exports/mailed.js';
import { formatTime, isoTime } from '../../operations/format.js';
import type { Workplace } from '../../operations/workplace.js';
import { atWorkplace, examples } from '../command.js';
import { writePrivateFile } from '../localfiles.js';
import { showWritten } from '../written.js';

interface ExportOptions extends ExportFilter {
  out?: string;
  mailTo?: string;
}

export function registerExport(
  group: Command,
  what: 'users' | 'teams',
  produce: (workplace: Workplace, org: string, filter: ExportFilter, onProgress: OnAdvance) => AsyncGenerator<string>,
): void {
  const exporting = group
    .command('export')
    .summary(`write the ${what} of an organization as CSV`)
    .description(
      `Writes the ${what} of an organization as CSV under the standard labels, dates as the organization writes them.
The export is a valid import that changes nothing. An apostrophe protects cells that a spreadsheet would run as formulas.
With --for-spreadsheet a spreadsheet can also save the file again without a change: 00003 is written as ="00003".`,
    )
    .argument('<org>')
    .option('--changed-since <date|run>', 'only rows changed since a date (2026-01-31), or by this run or a later one')
    .option('--for-spreadsheet', 'keep numbers, dates and letters as they are when a spreadsheet saves the file again')
    .option('--out <file>', 'write to a private file, complete or not at all, instead of standard output')
    .addHelpText(
      'after',
      examples(
        `dropslot ${what} export acme > ${what}.csv`,
        `dropslot ${what} export acme --for-spreadsheet --out ${what}.csv`,
        `dropslot ${what} export acme --out ${what}.csv --changed-since 2026-01-31`,
      ),
    )
    .action((id: string, { out: file, mailTo, ...filter }: ExportOptions, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        if (mailTo !== undefined) {
          if (file !== undefined) throw new OperationError('usage', 'give either --mail-to or --out');
          const { to, path, until } = await mailExport(workplace, id, mailTo, filter);
          const sent =
            path === null ? `Sent ${to} a mail with a link` : `Wrote ${path}, and sent ${to} a mail about it`;
          const use = path === null ? ' It downloads the export once.' : '';
          const text = `${sent}.${use} The file is removed after ${formatTime(until)}.`;
          return out.show({ to, path, until: isoTime(until) }, text);
        }
        if (out.json && file === undefined)
          throw new OperationError(
            'usage',
            `an export is CSV: leave out --json, or write it to a file with --out; for JSON use "dropslot ${what} list --json"`,
          );
        await recordExport(workplace, id, what, filter);
        if (file === undefined) {
          for await (const text of produce(workplace, id, filter, out.progress)) await out.write(text);
        } else {
          const written = await writePrivateFile(file, produce(workplace, id, filter, out.progress));
          await showWritten(out, file, written);
        }
      }),
    );
  if (what === 'users')
    exporting
      .option('--active', 'only active users')
      .option(
        '--mail-to <address>',
        'send this active admin of the organization a mail with a link that downloads the file once, within a day; without HTTPS of the console the file is in /exports for a day',
      );
}
