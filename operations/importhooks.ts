/** The import hooks for a process: those of the setting importHooks, unless they are functions of a program that embeds Dropslot. */
import type { Settings } from '../config/settings.js';
import type { Queryable } from '../db/connection.js';
import { hasProgramHooks, noteProgramHooks } from '../db/control/programhooks.js';
import { ImportError } from '../importer/error.js';
import { type HookSource, loadHooks, type WrapHook } from '../importer/hooks/load.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

/**
 * Notes at the start of a server whose functions its import hooks are. @param of `program`: of the program that embeds it; `none`:
 * it has none, of its own decision; `server`: there is no such program
 * @throws OperationError `refused` where a server would import without the hooks of a program
 */
export async function settleHookOrigin(
  { settings, control, now }: Workplace,
  of: 'program' | 'none' | 'server',
): Promise<void> {
  if (settings.role === 'intake') return;
  if (of === 'server' && settings.importHooks === undefined && (await hasProgramHooks(control.read)))
    throw new OperationError(
      'refused',
      `${programHooksText}: start it instead, or give the same hooks as a file by the setting importHooks (a file without exports: no hooks)`,
    );
  await noteProgramHooks(control.write, of === 'program', now());
}

/** Why a process that is not the program's can't import. */
export const programHooksText =
  'the import hooks of this installation are functions of the program that embeds Dropslot, and only that program can call them';

export function createHookSource(settings: Settings, control: Queryable, wrap?: WrapHook): HookSource {
  return async () => {
    if (settings.importHooks !== undefined) return loadHooks(settings, wrap);
    if (await hasProgramHooks(control))
      throw new ImportError(
        'hooks',
        `${programHooksText}: let it import, and check files below /dry-run; or give the same hooks as a file by the setting importHooks`,
      );
    return null;
  };
}
