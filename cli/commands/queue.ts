/** `dropslot queue`. */
import type { Command } from 'commander';
import { listQueue, type UploadRow } from '../../db/control/uploads.js';
import { formatBytes, formatTime, isoTime } from '../../operations/format.js';
import { atWorkplace, examples } from '../command.js';
import type { ListView } from '../output.js';

export function registerQueue(program: Command): void {
  program
    .command('queue')
    .summary("show what waits for an organization's next slot")
    .description("Shows the files that wait for an organization's next slot, oldest first.")
    .argument('<org>')
    .addHelpText('after', examples('dropslot queue acme', 'dropslot queue acme --json'))
    .action((id: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const org = await workplace.org(id);
        await out.list(await listQueue(workplace.control.read, org.id), queueList(id));
      }),
    );
}

function queueList(org: string): ListView<UploadRow> {
  return {
    columns: [
      { title: 'UPLOAD', cell: (upload) => String(upload.id), align: 'right' },
      { title: 'PATH', cell: (upload) => upload.path },
      { title: 'SIZE', cell: (upload) => formatBytes(upload.size), align: 'right' },
      { title: 'QUEUED', cell: (upload) => formatTime(upload.queuedAt) },
      { title: 'FROM', cell: (upload) => upload.address ?? '–' },
      { title: 'KEY', cell: (upload) => upload.keyFingerprint ?? '–' },
    ],
    empty: `Nothing waits for the next slot of ${org}.`,
    toJson: (upload) => ({
      upload: upload.id,
      path: upload.path,
      size: upload.size,
      sha256: upload.sha256,
      state: upload.state,
      queuedAt: isoTime(upload.queuedAt),
      closedAt: isoTime(upload.closedAt),
      keyFingerprint: upload.keyFingerprint,
      address: upload.address,
      client: upload.client,
    }),
  };
}
