/** `dropslot queue`: list the uploads that wait for their import. */
import type { Command } from 'commander';
import { formatBytes, formatTime, isoTime } from '../../operations/format.js';
import { listQueued, type QueuedFile } from '../../operations/queue.js';
import { atControl, examples } from '../command.js';
import type { ListView } from '../output.js';

export function registerQueue(program: Command): void {
  program
    .command('queue')
    .summary('files that wait for the next slot')
    .description(
      `Lists the files that wait for an organization's next slot, oldest first. After them it lists the files that are stored and not
imported because of their names: those that wait for a rename, and those that do not look like data files.`,
    )
    .argument('<org>')
    .addHelpText('after', examples('dropslot queue acme', 'dropslot queue acme --json'))
    .action((id: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => out.list(await listQueued(workplace, id), queueList(id))),
    );
}

/** Of a file that was fetched from a source or found in a watched folder; null: of an SFTP session. */
function doorOf(client: string | null): string | null {
  return client !== null && /^(source|folder):\d+$/.test(client) ? client : null;
}

function queueList(org: string): ListView<QueuedFile> {
  return {
    columns: [
      { title: 'UPLOAD', cell: (upload) => String(upload.id), align: 'right' },
      { title: 'PATH', cell: (upload) => upload.path, whole: true },
      { title: 'SIZE', cell: (upload) => formatBytes(upload.size), align: 'right' },
      { title: 'QUEUED', cell: (upload) => formatTime(upload.queuedAt) },
      { title: 'FROM', cell: (upload) => upload.address ?? '–' },
      { title: 'KEY', cell: (upload) => upload.keyFingerprint ?? doorOf(upload.client) ?? '–', shortensTo: 15 },
      { title: 'NOTE', cell: (upload) => upload.note ?? '' },
    ],
    empty: `No file of ${org} waits for its next slot.`,
    toJson: (upload) => ({
      upload: upload.id,
      path: upload.path,
      size: upload.size,
      sha256: upload.sha256,
      state: upload.state,
      note: upload.note,
      queuedAt: isoTime(upload.queuedAt),
      closedAt: isoTime(upload.closedAt),
      keyFingerprint: upload.keyFingerprint,
      address: upload.address,
      client: upload.client,
    }),
  };
}
