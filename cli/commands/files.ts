/** `dropslot files …`: list the stored files of an organization, print one, and queue one again. */

import type { Command } from 'commander';
import { type ListedFile, readFileContent, walkFiles } from '../../operations/files.js';
import { formatBytes, formatTime, quoteName } from '../../operations/format.js';
import { fileToJson } from '../../operations/forms/files.js';
import { requeueStoredFile } from '../../operations/retry.js';
import { atControl, examples } from '../command.js';
import type { ListView } from '../output.js';

export function registerFiles(program: Command): void {
  const files = program.command('files').description('list, read and requeue stored files');
  files
    .command('list')
    .summary('list the files of an organization')
    .description('Lists every file and folder of an organization below a path: uploads, archive, reports, templates.')
    .argument('<org>')
    .argument('[path]', 'a folder or file of its space', '/')
    .addHelpText('after', examples('dropslot files list acme', 'dropslot files list acme /reports'))
    .action((id: string, path: string, _options, command: Command) =>
      atControl(command, (workplace, out) => out.list(walkFiles(workplace, id, path), fileList)),
    );
  files
    .command('cat')
    .summary('print a stored file in plaintext')
    .description('Opens a stored file and prints its plaintext. Recorded in the audit trail.')
    .argument('<org>')
    .argument('<path>')
    .addHelpText('after', examples('dropslot files cat acme /archive/2026-01-31/users.csv > users.csv'))
    .action((id: string, path: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
        for await (const bytes of readFileContent(workplace, id, path)) await out.write(bytes);
      }),
    );
  files
    .command('requeue')
    .summary('import a stored file again')
    .description(
      `Puts a file into the queue again, for example one from the archive that was refused: it gets the path at which its
sender uploaded it, and the next run imports it. A file that waits since a failed run no longer waits for the next slot if
the organization imports on upload.`,
    )
    .argument('<org>')
    .argument('<path>', 'as "files list" shows it')
    .addHelpText(
      'after',
      examples('dropslot files requeue acme /archive/2026-01-31/users.csv', 'dropslot files requeue acme /users.csv'),
    )
    .action((id: string, path: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
        const requeued = await requeueStoredFile(workplace, id, path);
        await out.show(
          requeued,
          `${quoteName(requeued.path)} is in the queue; to import it now: dropslot import ${id}`,
        );
      }),
    );
}

const fileList: ListView<ListedFile> = {
  columns: [
    { title: 'PATH', cell: (file) => (file.kind === 'dir' ? `${file.path}/` : file.path), whole: true },
    { title: 'SIZE', cell: (file) => (file.kind === 'dir' ? '' : formatBytes(file.size)), align: 'right' },
    { title: 'MODIFIED', cell: (file) => formatTime(file.mtimeMs) },
    { title: 'STATE', cell: (file) => file.state ?? '' },
    { title: 'NOTE', cell: (file) => file.note ?? '' },
  ],
  empty: 'No files.',
  toJson: fileToJson,
};
