/** The import hooks for a process: those of the setting importHooks. A process that lacks those of a program that embeds Dropslot imports nothing. */
import type { Settings } from '../config/settings.js';
import type { Queryable } from '../db/connection.js';
import { hasProgramHooks, noteProgramHooks } from '../db/control/programhooks.js';
import { ImportError } from '../importer/error.js';
import { type HookSource, loadHooks, type WrapHook } from '../importer/hooks/load.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

/**
 * Notes at the start of a server whether its import hooks are those of a program: its functions, or a file that its settings name.
 * @param program that embeds the server; null: none does
 * @throws OperationError `refused` where a server would import without the hooks of a program
 */
export async function settleHookOrigin(
  { settings, control, now }: Workplace,
  program: { hasFunctions: boolean } | null,
): Promise<void> {
  if (settings.role === 'intake') return;
  const hasFile = settings.importHooks !== undefined;
  if (program === null && !hasFile && (await hasProgramHooks(control.read)))
    throw new OperationError(
      'refused',
      `${programHooksText}: start that program instead, or name a file with the same hooks by the setting importHooks (a file without exports: no hooks)`,
    );
  await noteProgramHooks(control.write, program !== null && (program.hasFunctions || hasFile), now());
}

/** Why another process can't import. */
export const programHooksText =
  'the import hooks of this installation are those of the program that embeds Dropslot, and this process does not have them';

export function createHookSource(settings: Settings, control: Queryable, wrap?: WrapHook): HookSource {
  return async () => {
    if (settings.importHooks !== undefined) return loadHooks(settings, wrap);
    if (await hasProgramHooks(control))
      throw new ImportError(
        'hooks',
        `${programHooksText}: let that program import, and check files below /dry-run; or name a file with the same hooks by the setting importHooks`,
      );
    return null;
  };
}
