/** `dropslot apply` and `dropslot export-config`: organizations and their surroundings as a file describes them. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { OperationError } from '../../operations/error.js';
import { escapeControl, escapeText } from '../../operations/format.js';
import { type Change, changeToJson } from '../../operations/setup/change.js';
import { readSetup } from '../../operations/setup/document.js';
import { exportSetup } from '../../operations/setup/export.js';
import { applyChanges, compareSetup } from '../../operations/setup/setup.js';
import type { Workplace } from '../../operations/workplace.js';
import { appOf } from '../app.js';
import { atWorkplace, examples, outputOf, settingsOf } from '../command.js';
import { once, readInputFile, writePrivateFile } from '../localfiles.js';
import type { Output } from '../output.js';
import { showWritten } from '../written.js';

interface ApplyOptions {
  dryRun?: boolean;
  prune?: boolean;
}

export function registerApply(program: Command): void {
  program
    .command('apply')
    .summary('bring organizations, keys and hooks to the state of a file')
    .description(
      `Shows how organizations, their settings, keys and notifications, webhooks and hooks differ from a file (YAML), and then
makes the changes. A file that was applied changes nothing the second time. Without --prune nothing is removed that the file does not name.`,
    )
    .argument('<file>', 'YAML as "dropslot export-config" writes it; - reads standard input')
    .option('--dry-run', 'show the differences, and change nothing')
    .option(
      '--prune',
      'also reset settings, revoke keys, and remove webhooks, hooks and notifications that the file does not name; never organizations',
    )
    .addHelpText(
      'after',
      examples(
        'dropslot apply dropslot.yaml --dry-run',
        'dropslot apply dropslot.yaml',
        'dropslot export-config --out dropslot.yaml',
      ),
    )
    .action((file: string, { dryRun = false, prune = false }: ApplyOptions, command: Command) => {
      // Before the data folder is made: a file with a mistake leaves no new one.
      const setup = readSetup(readInputFile(file));
      return atState(command, dryRun, async (workplace, out) => {
        const { changes, unnamed } = await compareSetup(workplace, setup, prune);
        if (!out.json) await out.write(`${escapeText(describeChanges(changes))}\n`);
        const { made, notes, failure } = await applyChanges(dryRun ? [] : changes);
        const applied = made > 0 && failure === null;
        if (out.json) await out.show({ applied, made, changes: changes.map(changeToJson), unnamed, notes }, '');
        else if (made > 0) await out.write(`${escapeText(['', ...notes, `Applied ${count(made)}.`].join('\n'))}\n`);
        if (failure !== null) throw failure;
        if (dryRun && changes.length > 0 && !out.json)
          out.note('Nothing was changed. Leave out --dry-run to apply it.');
        if (unnamed.length > 0 && prune)
          out.note(
            escapeControl(`Not in the file, and kept: ${unnamed.join(', ')}. "dropslot orgs remove" removes one.`),
          );
      });
    });
  program
    .command('export-config')
    .summary('write the present state as such a file')
    .description(
      'Writes organizations with their settings, keys and notifications, webhooks and hooks as YAML, without any secret. "dropslot apply" takes the file as it is.',
    )
    .argument('[org...]', 'only these organizations')
    .option('--out <file>', 'write it to a file')
    .addHelpText('after', examples('dropslot export-config', 'dropslot export-config acme --out acme.yaml'))
    .action((orgs: string[], { out: file }: { out?: string }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const text = await exportSetup(workplace, orgs.length === 0 ? undefined : orgs);
        if (file !== undefined) await showWritten(out, file, await writePrivateFile(file, once(text)));
        else if (out.json) await out.show({ yaml: text }, '');
        else await out.write(text);
      }),
    );
}

/** A dry run where there is no data yet compares the file with an empty data folder, and leaves none. */
async function atState(
  command: Command,
  dryRun: boolean,
  use: (workplace: Workplace, out: Output) => Promise<void>,
): Promise<void> {
  if (!dryRun) return atWorkplace(command, use, { create: true });
  try {
    return await atWorkplace(command, use);
  } catch (error) {
    if (!(error instanceof OperationError && error.code === 'not_found') || existsSync(settingsOf(command).data))
      throw error;
  }
  const data = mkdtempSync(join(tmpdir(), 'dropslot-'));
  try {
    const workplace = await appOf(command).openWorkplace({ ...settingsOf(command), data }, { create: true });
    await use(workplace, outputOf(command)).finally(() => workplace.close());
  } finally {
    rmSync(data, { recursive: true });
  }
}

function describeChanges(changes: readonly Change[]): string {
  if (changes.length === 0) return 'Nothing to change: everything is as the file says.';
  const owners = [...new Set(changes.map(({ org }) => org))];
  return owners
    .flatMap((owner) => [
      `${owner ?? '(all organizations)'}:`,
      ...changes.filter(({ org }) => org === owner).map(({ sign, text }) => `  ${sign} ${text.replaceAll('\n', ' ')}`),
    ])
    .join('\n');
}

function count(changes: number): string {
  return `${changes} ${changes === 1 ? 'change' : 'changes'}`;
}
