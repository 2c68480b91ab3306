/** Declares the server's dependencies on the rest of Dropslot, and the handle of a running server. */
import type { Logger } from '../config/logger.js';
import type { PolicyName } from '../config/network.js';
import type { Settings } from '../config/settings.js';
import type { Db } from '../db/connection.js';
import type { Intake, Sender } from '../intake/types.js';
import type { HostKey } from '../keys/host/hostkeys.js';
import type { AccessWatch } from '../keys/login/accesswatch.js';
import type { Authenticator, Login } from '../keys/login/authenticate.js';
import type { Space } from '../storage/types.js';

export type ServerSettings = Pick<
  Settings,
  | 'host'
  | 'port'
  | 'listen'
  | 'policy'
  | 'accommodateOldClients'
  | 'proxies'
  | 'loginSeconds'
  | 'loginAttempts'
  | 'penalties'
  | 'penaltyMinutes'
  | 'exemptAddresses'
  | 'maxUnauthenticated'
  | 'maxUnauthenticatedPerAddress'
  | 'contact'
  | 'keepaliveSeconds'
  | 'idleMinutes'
  | 'rekeyBytes'
  | 'rekeyMinutes'
  | 'maxConnections'
  | 'maxConnectionsPerOrg'
  | 'maxSessionsPerOrg'
  | 'maxHandlesPerOrg'
  | 'maxChannels'
  | 'maxHandles'
>;

export interface ServerDeps {
  settings: ServerSettings;
  logger: Logger;
  /** Active keys prove the server's identity; the server announces every key to clients. */
  hostKeys: readonly HostKey[];
  /** Holds the penalties that nodes and commands share. */
  control: Db;
  authenticator: Authenticator;
  /** Reports when a login is no longer valid. */
  access: AccessWatch;
  /** Opens the organization's tree and its intake for one SFTP session of this sender. */
  openSession(login: Login, sender: Sender): { space: Space; intake: Intake };
  /** Milliseconds since 1970. */
  now: () => number;
  /** From 0 to below 1; Math.random without it. */
  random?: () => number;
  /** The process belongs to another program: nothing of it is tuned. */
  isGuest?: boolean;
}

export interface RunningServer {
  /** Of the first listener. */
  host: string;
  port: number;
  listeners: readonly { host: string; port: number; policy: PolicyName }[];
  /** From the next connection on. @throws ServerError `bad_host_key`, and keeps the keys in use */
  /** Open connections. */
  countConnections(): number;
  replaceHostKeys(keys: readonly HostKey[]): void;
  /** No new connections; uploads in progress get `graceMs` to finish, then abort. Resolves when every connection is closed. */
  stop(graceMs: number): Promise<void>;
}
