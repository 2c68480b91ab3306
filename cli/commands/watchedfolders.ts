/** `dropslot folders …`: the watched folders of organizations. */

import type { Command } from 'commander';
import { addFolder } from '../../operations/folders.js';
import { doorToJson } from '../../operations/forms/doors.js';
import { atControl, examples } from '../command.js';
import { renderDoor } from '../views/doors.js';
import { addDoorCommands } from './doors.js';

interface FolderOptions {
  afterImport?: string;
  pattern?: string[];
  into?: string;
  poll?: boolean;
  marker?: string;
}

export function registerFolders(program: Command): void {
  const folders = program
    .command('folders')
    .summary('take files from folders and network shares')
    .description('manages the folders of this machine, network shares too, whose files Dropslot takes');
  folders
    .command('add')
    .summary('take the files of a folder')
    .description(
      `Watches a folder: a file enters when it no longer changes and no process has it open, or when its marker appears. Files in
subfolders and links are not taken. Each node that imports needs the folder at the same path.`,
    )
    .argument('<org>')
    .argument('<dir>', 'the whole path of the folder')
    .option(
      '--after-import <action>',
      'keep, delete or move, once a file was imported or refused; move: to the subfolders imported and refused (default: keep)',
    )
    .option(
      '--pattern <pattern…>',
      'names to take, such as *.csv (default: names that are imported); several times',
      collect,
    )
    .option('--into <folder>', "folder of the organization's tree that the files enter (default: /)")
    .option('--poll', 'look every 15 seconds: for network shares, which send no notifications')
    .option('--marker <ending>', 'take users.csv when users.csv.done (or users.done) appears; ending such as .done')
    .addHelpText(
      'after',
      examples(
        'dropslot folders add acme /mnt/hr/acme --after-import move --poll',
        'dropslot folders add acme /srv/hr --marker .done',
      ),
    )
    .action((org: string, dir: string, { pattern, ...options }: FolderOptions, command: Command) =>
      atControl(command, async (place, out) => {
        const source = await addFolder(place, org, dir, { ...options, ...(pattern && { patterns: pattern }) });
        await out.show(doorToJson(source), renderDoor(source));
      }),
    );
  addDoorCommands(folders, 'folder');
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}
