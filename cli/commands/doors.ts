/** The commands that `sources` and `folders` share: list, show, run, enable, disable, remove. */

import type { Command } from 'commander';
import { disableDoor, enableDoor, findDoor, listDoors, removeDoor, runDoor } from '../../operations/doors.js';
import { OperationError } from '../../operations/error.js';
import { doorToJson } from '../../operations/forms/doors.js';
import { adviceFor } from '../../operations/sources.js';
import { atControl, examples } from '../command.js';
import { describeResult, doorList, renderDoor } from '../views/doors.js';

export function addDoorCommands(group: Command, word: 'source' | 'folder'): void {
  const kind = word === 'source' ? 'sftp' : 'folder';
  const called = word === 'source' ? 'source' : 'watched folder';
  const act = (name: string, summary: string, description: string) =>
    group
      .command(name)
      .summary(summary)
      .description(description)
      .argument('<id>', `number of the ${called}`)
      .addHelpText('after', examples(`dropslot ${word}s ${name} 1`));
  group
    .command('list')
    .summary(`list the ${called}s`)
    .description(`Lists the ${called}s of an organization, or of all, with their state and last failure.`)
    .argument('[org]', 'only those of this organization')
    .addHelpText('after', examples(`dropslot ${word}s list`, `dropslot ${word}s list acme --json`))
    .action((org: string | undefined, _options, command: Command) =>
      atControl(command, async (place, out) => out.list(await listDoors(place, kind, org), doorList(word))),
    );
  act('show', `show a ${called}`, `Shows the settings of a ${called}, its last round and its failures.`).action(
    (id: string, _options, command: Command) =>
      atControl(command, async (place, out) => {
        const source = await findDoor(place, kind, id);
        await out.show(doorToJson(source), renderDoor(source));
      }),
  );
  act('run', 'take its new files now', `Takes the new files of a ${called} now, and prints the result.`).action(
    (id: string, _options, command: Command) =>
      atControl(command, async (place, out) => {
        const { result, failure } = await runDoor(place, await findDoor(place, kind, id));
        if (failure !== null) {
          const advice = adviceFor(failure.code, Number(id));
          throw new OperationError('failed', advice === null ? failure.message : `${failure.message}: ${advice}`);
        }
        for (const problem of result!.problems) out.note(problem);
        await out.show({ [word]: Number(id), ...result }, `${describeResult({ result })}.`);
      }),
  );
  act('enable', `enable a disabled ${called}`, `Takes files from a disabled ${called} again.`).action(
    (id: string, _options, command: Command) =>
      atControl(command, async (place, out) => {
        const source = await enableDoor(place, await findDoor(place, kind, id));
        await out.show(doorToJson(source), `Enabled ${word} ${id}.`);
      }),
  );
  act('disable', 'take no more files from it', `Takes no more files from a ${called}; its settings remain.`).action(
    (id: string, _options, command: Command) =>
      atControl(command, async (place, out) => {
        const source = await disableDoor(place, await findDoor(place, kind, id));
        await out.show(doorToJson(source), `Disabled ${word} ${id}.`);
      }),
  );
  act(
    'remove',
    `remove a ${called}`,
    `Removes a ${called} and its secret. Files that came from it remain. If it is added again, its files are taken again.`,
  ).action((id: string, _options, command: Command) =>
    atControl(command, async (place, out) => {
      await removeDoor(place, await findDoor(place, kind, id));
      await out.show({ [word]: Number(id), removed: true }, `Removed ${word} ${id}.`);
    }),
  );
}
