/** Loads the file of the setting `importHooks`, each version of it once in a process. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Settings } from '../../config/settings.js';
import { ImportError } from '../error.js';
import type { ImportHooks } from './hooks.js';

export interface LoadedHooks extends ImportHooks {
  /** A digest of the file, and its export `version`: rows that another version has mapped are read again. */
  digest: string;
}

const names: readonly string[] = ['beforeImport', 'mapRow', 'beforeApply', 'afterApply'];

/** null: the setting is not given. @throws ImportError `hooks` where the file can't be used. */
export async function loadHooks({ importHooks }: Pick<Settings, 'importHooks'>): Promise<LoadedHooks | null> {
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
  const { version = '' } = exported;
  if (typeof version !== 'string') throw fail('its export "version" is not a text');
  const hooks: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(exported)) {
    if (name === 'version') continue;
    if (!names.includes(name)) throw fail(`it exports "${name}", which is no hook; hooks are ${names.join(', ')}`);
    if (typeof value !== 'function') throw fail(`its export "${name}" is not a function`);
    hooks[name] = value;
  }
  return { ...(hooks as ImportHooks), digest: digestOf(JSON.stringify([digestOf(content), version])) };
}

function digestOf(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}
