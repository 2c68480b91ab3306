/** Loads the file of the setting `importHooks`, each version of it once in a process. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Settings } from '../../config/settings.js';
import { ImportError } from '../error.js';
import type { RowMapper } from '../read/maprows.js';
import { mapEach } from './eachrow.js';
import type { ImportHooks } from './hooks.js';

export interface LoadedHooks extends Omit<ImportHooks, 'mapRow'> {
  /** `mapRow` of many rows. */
  mapRows?: RowMapper['map'];
  /** A digest of the file, and its export `version`: rows that another version has mapped are read again. */
  digest: string;
  /** The text that has to be corrected when a hook fails: `the file of importHooks`. */
  origin: string;
}

/** Gives the hooks as they are now. null: there are none. @throws ImportError `hooks` where they can't be used. */
export type HookSource = () => Promise<LoadedHooks | null>;

/** Of the file that the setting names, unless others are given. */
export interface HookDeps {
  settings: Pick<Settings, 'importHooks'>;
  hooks?: HookSource;
}

export function findHooks({ settings, hooks }: HookDeps): Promise<LoadedHooks | null> {
  return hooks === undefined ? loadHooks(settings) : hooks();
}

/** In the order in which they are called. */
export const hookNames: readonly (keyof ImportHooks)[] = ['beforeImport', 'mapRow', 'beforeApply', 'afterApply'];

/** Passes each call of a hook on, with the hook's name. */
export type WrapHook = <A extends unknown[], R>(name: keyof ImportHooks, hook: (...args: A) => R) => (...args: A) => R;

/** null: the setting is not given. @throws ImportError `hooks` where the file can't be used. */
export async function loadHooks(
  { importHooks }: Pick<Settings, 'importHooks'>,
  wrap: WrapHook = (_name, hook) => hook,
): Promise<LoadedHooks | null> {
  if (importHooks === undefined) return null;
  const path = resolve(importHooks);
  const fail = (reason: string, cause?: unknown) =>
    new ImportError('hooks', `the import hooks ${path} can't be used: ${reason}. Correct the file or importHooks`, {
      cause,
    });
  let content: Buffer;
  let exported: Record<string, unknown>;
  try {
    content = await readFile(path);
    // Node.js keeps each module that it has loaded: a changed file is another module.
    exported = await import(`${pathToFileURL(path).href}?sha256=${digestOf(content)}`);
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error), error);
  }
  const { version = '', ...functions } = exported;
  if (typeof version !== 'string') throw fail('its export "version" is not a text');
  const problem = findHookProblem(functions);
  if (problem !== null) throw fail(problem);
  const digest = digestOf(JSON.stringify([digestOf(content), version]));
  return { ...wrapHooks(functions as ImportHooks, wrap), digest, origin: 'the file of importHooks' };
}

/** Why an object is not one of import hooks. null: it is. @param words of the sentence, for an object that is no module */
export function findHookProblem(
  hooks: Record<string, unknown>,
  [has, its] = ['it exports', 'its export'],
): string | null {
  for (const [name, value] of Object.entries(hooks)) {
    if (!(hookNames as readonly string[]).includes(name))
      return `${has} "${name}", which is no hook; hooks are ${hookNames.join(', ')}`;
    if (typeof value !== 'function') return `${its} "${name}" is not a function`;
  }
  return null;
}

function wrapHooks(hooks: ImportHooks, wrap: WrapHook): Omit<LoadedHooks, 'digest' | 'origin'> {
  const { beforeImport, mapRow, beforeApply, afterApply } = hooks;
  return {
    ...(beforeImport && { beforeImport: wrap('beforeImport', beforeImport) }),
    ...(mapRow && { mapRows: mapEach(wrap('mapRow', mapRow)) }),
    ...(beforeApply && { beforeApply: wrap('beforeApply', beforeApply) }),
    ...(afterApply && { afterApply: wrap('afterApply', afterApply) }),
  };
}

function digestOf(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}
