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
  /** Of the master identity: a path, or `fd:N`; `credential:NAME` where there is no folder of credentials. */
  masterKey: string;
  /** Of its passphrase, likewise; null: a person is asked. */
  masterKeyPassphrase: string | null;
  hostKeys: string;
  /** Login keys that other programs put there, `<organization>/<name>.pub`. */
  loginKeys: string;
  /** Opens this node's own unfinished uploads. */
  nodeKey: string;
  /** Held by the one `serve` that runs on an SQLite data folder. */
  lock: string;
  /** Shared by every `sftp-server` on it: their uploads in progress are not what a crash left. */
  sessionsLock: string;
  /** Held by the one command that changes keys. */
  keysLock: string;
}

type PathSettings = Pick<Settings, 'data' | 'masterKey'> &
  Partial<Pick<Settings, 'masterKeyPassphraseFile' | 'credentials' | 'hostKeys' | 'loginKeys'>>;

export function pathsOf(settings: PathSettings): Paths {
  const { data, masterKeyPassphraseFile: passphrase, hostKeys, loginKeys } = settings;
  return {
    data,
    control: join(data, 'control.db'),
    directory: join(data, 'directory.db'),
    blobs: join(data, 'blobs'),
    partials: join(data, 'partials'),
    stage: join(data, 'stage'),
    keys: join(data, 'keys'),
    masterKey: findSecret(settings.masterKey ?? join(data, 'keys', 'master.key'), settings),
    masterKeyPassphrase: passphrase === undefined ? null : findSecret(passphrase, settings),
    hostKeys: hostKeys ?? join(data, 'keys', 'host'),
    loginKeys: loginKeys ?? join(data, 'keys.d'),
    nodeKey: join(data, 'keys', 'node.key'),
    lock: join(data, 'serve.lock'),
    sessionsLock: join(data, 'sessions.lock'),
    keysLock: join(data, 'keys.lock'),
  };
}

function findSecret(source: string, { credentials }: PathSettings): string {
  const name = /^credential:(.+)$/.exec(source)?.[1];
  return name === undefined || credentials === undefined ? source : join(credentials, name);
}
