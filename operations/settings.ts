/** The settings that an invocation works by. */
import { loadSettings, SettingsError } from '../config/load.js';
import type { Settings } from '../config/settings.js';
import { OperationError } from './error.js';

export type { Settings } from '../config/settings.js';

export interface SettingsChoice {
  /** A JSON file of settings; undefined: `dropslot.json` of the data folder, where it exists. */
  file: string | undefined;
  /** Settings that the caller chooses; an undefined value keeps that of the file or the environment. */
  overrides: Partial<Record<keyof Settings, unknown>>;
}

/** Defaults, then the file, then the environment, then `overrides`. @throws OperationError `usage` on a wrong setting */
export function readSettings({ file, overrides }: SettingsChoice): Settings {
  try {
    return loadSettings({ file, overrides });
  } catch (cause) {
    if (cause instanceof SettingsError) throw new OperationError('usage', cause.message, { cause });
    throw cause;
  }
}
