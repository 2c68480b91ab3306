/** The settings that an invocation works by. */
import { type LocatedSettings, loadSettings, locateSettings, SettingsError } from '../config/load.js';
import { describeSource, readSecretText, SecretSourceError } from '../config/secretsource.js';
import { type Settings, settingsSchema } from '../config/settings.js';
import { OperationError } from './error.js';

export type { Settings } from '../config/settings.js';

export interface SettingsChoice {
  /** A JSON file of settings; undefined: `dropslot.json` of the data folder, where it exists. */
  file: string | undefined;
  /** Settings that the caller chooses; an undefined value keeps that of the file or the environment. */
  overrides: Partial<Record<keyof Settings, unknown>>;
  /** As SettingsSources has it. */
  descriptors?: Map<string, string> | undefined;
}

/** Defaults, then the file, then the environment, then `overrides`. @throws OperationError `usage` on a wrong setting */
export function readSettings(choice: SettingsChoice): Settings {
  return translate(() => loadSettings(choice));
}

/** The text of a secret that a command line names: a file, `fd:N`, `credential:NAME`. @throws OperationError `failed` */
export function readSecret(source: string, { credentials }: Pick<Settings, 'credentials'>): string {
  try {
    return readSecretText(source, credentials);
  } catch (cause) {
    if (cause instanceof SecretSourceError) throw new OperationError('failed', cause.message, { cause });
    throw cause;
  }
}

/** The file of settings that is read; null: there is none. @throws OperationError `usage` on a wrong setting */
export function findSettingsFile(choice: SettingsChoice): string | null {
  return locate(choice).file;
}

export interface ShownSetting {
  name: string;
  /** As the settings file would have it; null: it has no value. A secret is replaced by `(secret)`. */
  value: unknown;
  /** `default`, `command line`, the environment variable, or the settings file. */
  origin: string;
}

/** A value as text: of a list with commas, of an object as JSON. */
export function settingText(value: unknown): string {
  if (value === null) return '–';
  return typeof value === 'object' && !Array.isArray(value) ? JSON.stringify(value) : String(value);
}

/** Every setting, in the order of the reference. @throws OperationError `usage` on a wrong setting */
export function listServerSettings(choice: SettingsChoice): ShownSetting[] {
  const { settings, originOf } = locate(choice);
  return describe(settings, originOf);
}

/** As listServerSettings, of settings that were read from `choice`; without it a program has chosen those that differ from their default. */
export function showSettings(settings: Settings, choice: SettingsChoice | undefined): ShownSetting[] {
  if (choice !== undefined) return describe(settings, locate(choice).originOf);
  const usual = settingsSchema.parse({});
  return describe(settings, (name) =>
    JSON.stringify(settings[name]) === JSON.stringify(usual[name]) ? 'default' : 'program',
  );
}

function describe(settings: Settings, originOf: LocatedSettings['originOf']): ShownSetting[] {
  return (Object.keys(settingsSchema.shape) as (keyof Settings)[]).map((name) => {
    const value = settings[name] ?? null;
    const shown = typeof value === 'string' ? (shownForms[name]?.(value) ?? value) : value;
    return { name, value: shown, origin: originOf(name) };
  });
}

/** Settings that contain or may contain a secret, as they may be shown. */
const shownForms: Partial<Record<keyof Settings, (value: string) => string>> = {
  database: hidePassword,
  masterKey: describeSource,
};

/** A database URL may have a password, also as a parameter. */
function hidePassword(url: string): string {
  return url.replace(/^(\w+:\/\/[^:@/?#]*):[^@/]*@/, '$1:(secret)@').replace(/([?&]password=)[^&]*/gi, '$1(secret)');
}

function locate(choice: SettingsChoice): LocatedSettings {
  return translate(() => locateSettings(choice));
}

function translate<T>(load: () => T): T {
  try {
    return load();
  } catch (cause) {
    if (cause instanceof SettingsError) throw new OperationError('usage', cause.message, { cause });
    throw cause;
  }
}
