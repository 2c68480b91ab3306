/** The paths of everything that Dropslot keeps: in the data folder, or where a setting puts it. */
import { join } from 'node:path';
import { findSecret } from './secretsource.js';
import type { Settings } from './settings.js';

export interface Paths {
  data: string;
  control: string;
  directory: string;
  /** The last record that the control database committed: shows that commits of it were lost. */
  controlMark: string;
  /** Sealed files, `<two letters>/<random id>`. */
  blobs: string;
  /** Uploads in progress; same file system as the blobs, so that publishing is a rename. */
  partials: string;
  /** Temporary databases of the importer, one for each run in progress. */
  stage: string;
  keys: string;
  /** The master identity: a path or `fd:N`; `credential:NAME` if there is no folder of credentials. */
  masterKey: string;
  /** The passphrase of the master identity, in the same forms; null: Dropslot asks for it on the terminal. */
  masterKeyPassphrase: string | null;
  hostKeys: string;
  /** Login keys that other programs add, `<organization>/<name>.pub`. */
  loginKeys: string;
  /** The key that opens this node's own unfinished uploads. */
  nodeKey: string;
  /** Lock file of `serve`: only one may run on an SQLite data folder. */
  lock: string;
  /** Lock file that every running `sftp-server` shares: while it is held, uploads in progress are not leftovers of a crash. */
  sessionsLock: string;
  /** Lock file that the workers of a server share: a server that begins waits for those of one that was killed. */
  workersLock: string;
  /** Lock file of the process that brings a database to the schema of this version. */
  migrationLock: string;
  /** Lock file that every process with directory.db open shares: while it is held, the file is not sealed or unsealed. */
  directoryLock: string;
  /** Lock file of the commands that change keys: one runs at a time. */
  keysLock: string;
  /** There while a backup is being restored into the data folder. */
  restoreMark: string;
}

type PathSettings = Pick<Settings, 'data' | 'masterKey'> &
  Partial<Pick<Settings, 'masterKeyPassphraseFile' | 'credentials' | 'hostKeys' | 'loginKeys'>>;

export function pathsOf(settings: PathSettings): Paths {
  const { data, masterKeyPassphraseFile: passphrase, hostKeys, loginKeys } = settings;
  return {
    data,
    control: join(data, 'control.db'),
    directory: join(data, 'directory.db'),
    controlMark: join(data, 'control.mark'),
    blobs: join(data, 'blobs'),
    partials: join(data, 'partials'),
    stage: join(data, 'stage'),
    keys: join(data, 'keys'),
    masterKey: findSecret(settings.masterKey ?? join(data, 'keys', 'master.key'), settings.credentials),
    masterKeyPassphrase: passphrase === undefined ? null : findSecret(passphrase, settings.credentials),
    hostKeys: hostKeys ?? join(data, 'keys', 'host'),
    loginKeys: loginKeys ?? join(data, 'keys.d'),
    nodeKey: join(data, 'keys', 'node.key'),
    lock: join(data, 'serve.lock'),
    sessionsLock: join(data, 'sessions.lock'),
    workersLock: join(data, 'workers.lock'),
    migrationLock: join(data, 'migration.lock'),
    directoryLock: join(data, 'directory.lock'),
    keysLock: join(data, 'keys.lock'),
    restoreMark: join(data, 'RESTORING'),
  };
}
