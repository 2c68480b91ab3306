/** What the server needs from the rest of Dropslot. */
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
  /** Active ones prove the server; all of them are announced. */
  hostKeys: readonly HostKey[];
  /** Where pauses of addresses are told to other nodes and to commands. */
  control: Db;
  authenticator: Authenticator;
  /** Tells when a login no longer holds. */
  access: AccessWatch;
  /** What one SFTP session works on: the organization's tree, and its intake for this sender. */
  openSession(login: Login, sender: Sender): { space: Space; intake: Intake };
  /** Milliseconds since 1970. */
  now: () => number;
  /** From 0 to below 1; Math.random without it. */
  random?: () => number;
}

export interface RunningServer {
  /** Of the first listener. */
  host: string;
  port: number;
  listeners: readonly { host: string; port: number; policy: PolicyName }[];
  /** From the next connection on. @throws ServerError `bad_host_key`, and goes on with those that it has */
  replaceHostKeys(keys: readonly HostKey[]): void;
  /** No new connections; uploads in progress get `graceMs` to finish, then abort. Resolves when every connection is gone. */
  stop(graceMs: number): Promise<void>;
}
