/** Loads the settings: defaults, then a JSON file, then DROPSLOT_* variables, then the command line. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { type Settings, settingsSchema } from './settings.js';

/** A setting that is unknown, malformed or unreadable; the message names it and says what it takes. */
export class SettingsError extends Error {
  override name = 'SettingsError';
}

export interface SettingsSources {
  /** Path of a JSON file of settings; without it `dropslot.json` of the data folder is read where it exists. */
  file?: string | undefined;
  env?: NodeJS.ProcessEnv;
  /** What the command line says; undefined values say nothing. */
  overrides?: Partial<Record<keyof Settings, unknown>>;
}

/**
 * Merges every source, later ones winning, and checks the result.
 * @throws SettingsError on an unknown setting, a wrong value, or a file that can't be read.
 */
export function loadSettings(sources: SettingsSources = {}): Settings {
  const variables = sources.env ?? process.env;
  const env = readEnvironment(variables);
  const overrides = Object.fromEntries(
    Object.entries(sources.overrides ?? {}).filter(([, value]) => value !== undefined),
  );
  const data = overrides.data ?? env.data;
  const fallback = join(resolve(typeof data === 'string' ? data : './data'), 'dropslot.json');
  const path = sources.file ?? (existsSync(fallback) ? fallback : undefined);
  const fromFile = path === undefined ? {} : readFile(path);
  const credentials = variables.CREDENTIALS_DIRECTORY;
  const fromSystemd = credentials === undefined ? {} : { credentials };
  const result = settingsSchema.safeParse({ ...fromSystemd, ...fromFile, ...env, ...overrides });
  if (!result.success) throw new SettingsError(explain(result.error, path));
  return { ...result.data, data: resolve(result.data.data) };
}

/** The environment variable of a setting: `idleMinutes` is `DROPSLOT_IDLE_MINUTES`. */
export function variableOf(setting: string): string {
  return `DROPSLOT_${setting.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

function readEnvironment(env: NodeJS.ProcessEnv): Record<string, unknown> {
  const known = new Map(Object.keys(settingsSchema.shape).map((name) => [variableOf(name), name]));
  const found: Record<string, unknown> = {};
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('DROPSLOT_')) continue;
    const name = known.get(variable);
    if (name === undefined)
      throw new SettingsError(`unknown setting ${variable} in the environment; see docs/settings.md`);
    found[name] = value;
  }
  return found;
}

function readFile(path: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
      throw new Error('it is not a JSON object');
    return parsed as Record<string, unknown>;
  } catch (cause) {
    throw new SettingsError(`settings file ${path} can't be read: ${(cause as Error).message}`, { cause });
  }
}

function explain(error: z.ZodError, path: string | undefined): string {
  const where = path === undefined ? '' : ` (settings file ${path})`;
  return error.issues
    .map((issue) => {
      if (issue.code === 'unrecognized_keys')
        return `unknown setting ${issue.keys.join(', ')}${where}; see docs/settings.md`;
      return `setting ${issue.path.join('.')}${where}: ${issue.message}`;
    })
    .join('; ');
}
