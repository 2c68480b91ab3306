/** Where things lie in the data folder. */
import { join } from 'node:path';
import type { Settings } from './settings.js';

export interface Paths {
  data: string;
  control: string;
  directory: string;
  /** Sealed files, `<two letters>/<random id>`. */
  blobs: string;
  /** Uploads in progress; same file system as the blobs, so that publishing is a rename. */
  partials: string;
  /** The importer's workbench, one file for each run in progress. */
  stage: string;
  keys: string;
  masterKey: string;
  hostKeys: string;
  /** Held by the one `serve` that runs on an SQLite data folder. */
  lock: string;
}

export function pathsOf(settings: Pick<Settings, 'data' | 'masterKey'>): Paths {
  const { data } = settings;
  return {
    data,
    control: join(data, 'control.db'),
    directory: join(data, 'directory.db'),
    blobs: join(data, 'blobs'),
    partials: join(data, 'partials'),
    stage: join(data, 'stage'),
    keys: join(data, 'keys'),
    masterKey: settings.masterKey ?? join(data, 'keys', 'master.key'),
    hostKeys: join(data, 'keys', 'host'),
    lock: join(data, 'serve.lock'),
  };
}
