/** What the server needs from the rest of Dropslot. */
import type { Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import type { Intake, Sender } from '../intake/types.js';
import type { Authenticator, Login } from '../keys/authenticate.js';
import type { HostKey } from '../keys/host.js';
import type { AccessWatch } from '../keys/watch.js';
import type { Space } from '../storage/types.js';

export type ServerSettings = Pick<
  Settings,
  | 'host'
  | 'port'
  | 'loginSeconds'
  | 'loginAttempts'
  | 'idleMinutes'
  | 'maxConnections'
  | 'maxConnectionsPerOrg'
  | 'maxChannels'
  | 'maxHandles'
>;

export interface ServerDeps {
  settings: ServerSettings;
  logger: Logger;
  /** Active ones prove the server; all of them are announced. */
  hostKeys: readonly HostKey[];
  authenticator: Authenticator;
  /** Tells when a login no longer holds. */
  access: AccessWatch;
  /** What one SFTP session works on: the organization's tree, and its intake for this sender. */
  openSession(login: Login, sender: Sender): { space: Space; intake: Intake };
  /** Milliseconds since 1970. */
  now: () => number;
}

export interface RunningServer {
  host: string;
  port: number;
  /** From the next connection on. @throws ServerError `bad_host_key`, and goes on with those that it has */
  replaceHostKeys(keys: readonly HostKey[]): void;
  /** No new connections; uploads in progress get `graceMs` to finish, then abort. Resolves when every connection is gone. */
  stop(graceMs: number): Promise<void>;
}
