/** Loads the settings from their defaults, a JSON file, the DROPSLOT_* variables and the command line; later ones take precedence. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { findNearest } from './nearest.js';
import { isSftpUrl } from './network.js';
import { descriptorOf, readSecretText, SecretSourceError } from './secretsource.js';
import { databaseForm, type Settings, settingsSchema } from './settings.js';

/** A setting that is unknown, malformed or unreadable; the message names it, where it is from, and the values it takes. */
export class SettingsError extends Error {
  override name = 'SettingsError';
}

export interface SettingsSources {
  /** Path of a JSON file of settings; without it `dropslot.json` of the data folder is read if it exists. */
  file?: string | undefined;
  env?: NodeJS.ProcessEnv;
  /** Values of the command line; undefined ones are left out. */
  overrides?: Partial<Record<keyof Settings, unknown>>;
  /** Where they are from, for messages; without it the command line. */
  overridesFrom?: string;
  /** Gets the text of each descriptor that is read, by its source, and has those of earlier readings: each can be read once. */
  descriptors?: Map<string, string> | undefined;
}

/**
 * Merges every source, later ones taking precedence, checks the result, and reads the URL of the database from its source.
 * @throws SettingsError on an unknown setting, a wrong value, or a file that can't be read.
 */
export function loadSettings(sources: SettingsSources = {}): Settings {
  const { settings } = locateSettings(sources);
  return { ...settings, database: readDatabase(settings, sources.descriptors ?? new Map()) };
}

/** The URL of the database, from the source that the setting names. `descriptors`: as SettingsSources has them. @throws SettingsError */
export function readDatabase(
  { database, credentials }: Pick<Settings, 'database' | 'credentials'>,
  descriptors: Map<string, string> = new Map(),
): string {
  if (databaseForm.test(database)) return database;
  const source = database.replace(/^file:/, '');
  try {
    const url = (descriptors.get(source) ?? readSecretText(source, credentials)).trim();
    if (descriptorOf(source) !== null) descriptors.set(source, url);
    if (databaseForm.test(url)) return url;
  } catch (cause) {
    if (cause instanceof SecretSourceError) throw new SettingsError(`setting database: ${cause.message}`, { cause });
    throw cause;
  }
  throw new SettingsError(
    `setting database: ${source} must contain a URL that begins with postgres://, and nothing else`,
  );
}

export interface LocatedSettings {
  settings: Settings;
  /** The file that was read; null: there is none. */
  file: string | null;
  /** `default`, `command line`, the environment variable, or `settings file` with its path. */
  originOf(name: keyof Settings): string;
}

/** As loadSettings, with the source of the database's URL instead of the URL, and tells where each value is from. @throws SettingsError */
export function locateSettings(sources: SettingsSources = {}): LocatedSettings {
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
  const sourceOf = (name: string): string => {
    if (name in overrides) return sources.overridesFrom ?? 'command line';
    if (name in env) return variableOf(name);
    return path === undefined ? 'default' : `settings file ${path}`;
  };
  if (!result.success) throw new SettingsError(explain(result.error, sourceOf));
  if (result.data.sealDirectory === 'on' && result.data.database !== 'sqlite')
    throw new SettingsError(
      `sealDirectory (${sourceOf('sealDirectory')}): Dropslot can't seal users and teams on PostgreSQL; encrypt the volume of PostgreSQL and set sealDirectory to volume`,
    );
  if (result.data.passwordSignIn === 'off' && result.data.oidc === undefined)
    throw new SettingsError(
      `passwordSignIn (${sourceOf('passwordSignIn')}): it needs the setting oidc: the provider at which people sign in instead`,
    );
  if (isSftpUrl(result.data.backupTo ?? ''))
    for (const name of ['backupKey', 'backupHostKey'] as const)
      if (result.data[name] === undefined)
        throw new SettingsError(`backupTo (${sourceOf('backupTo')}) is an SFTP server: set ${name} too`);
  const { blobAccessKey, blobSecretKey } = result.data;
  if ((blobAccessKey === undefined) !== (blobSecretKey === undefined))
    throw new SettingsError(
      'blobAccessKey and blobSecretKey belong together: set both, or neither, so that the client of the object store finds credentials by itself',
    );
  const settings = { ...result.data, data: resolve(result.data.data) };
  const isGiven = (name: string) => name in overrides || name in env || name in fromFile;
  const originOf = (name: string) => {
    if (isGiven(name)) return sourceOf(name);
    return name in fromSystemd ? 'systemd' : 'default';
  };
  return { settings, file: path ?? null, originOf };
}

/** The environment variable of a setting: `idleMinutes` is `DROPSLOT_IDLE_MINUTES`. */
export function variableOf(setting: string): string {
  return `DROPSLOT_${setting.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

function readEnvironment(env: NodeJS.ProcessEnv): Record<string, unknown> {
  const known = new Map(settingNames.map((name) => [variableOf(name), name]));
  const found: Record<string, unknown> = {};
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('DROPSLOT_')) continue;
    const name = known.get(variable);
    if (name === undefined) throw new SettingsError(describeUnknown(variable, 'environment', [...known.keys()]));
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

/** One sentence for each setting: several checks of one value have the same message. Values may be secrets, and are left out. */
function explain(error: z.ZodError, sourceOf: (name: string) => string): string {
  const sentences = error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys' && issue.path.length === 0)
      return issue.keys.map((key) => describeUnknown(key, sourceOf(key), settingNames));
    const name = String(issue.path[0]);
    return [`setting ${name} ${issue.message} (${sourceOf(name)})`];
  });
  return [...new Set(sentences)].join('; ');
}

const settingNames = Object.keys(settingsSchema.shape);

function describeUnknown(name: string, source: string, known: readonly string[]): string {
  const near = findNearest(name, known);
  const hint = near === null ? '' : ` did you mean ${near}?`;
  return `unknown setting ${name} (${source});${hint} docs/settings.md lists all settings`;
}
