/** Owns the open connections of one process: speaks SSH on each admitted socket, and ends all of them when the server stops. */
import type { Socket } from 'node:net';
import type { PolicyName } from '../../config/network.js';
import type { HostKey } from '../../keys/host/hostkeys.js';
import type { SessionRegister } from '../sessionregister.js';
import type { ServerDeps } from '../types.js';
import { choosePolicy, policies } from './algorithms.js';
import { Connection } from './connection.js';
import type { FailedLogins } from './failedlogins.js';
import type { Gate } from './gate.js';
import { dropOwnIdentification, exchangeIdentification } from './identification.js';
import type { LogLimiter } from './loglimiter.js';
import { loadTransport } from './postquantum.js';
import { warnOfUnlistedProxy } from './proxyprotocol.js';
import type { SessionLimits } from './sessionlimits.js';
import { socketOf } from './ssh2fixes.js';
import { createSshServers, type SshServers } from './sshservers.js';

export interface ConnectionsDeps extends ServerDeps {
  sessionLimits: SessionLimits;
  logLimiter: LogLimiter;
  failedLogins: Pick<FailedLogins, 'count'>;
  register: Pick<SessionRegister, 'add'>;
}

export interface Connections {
  count(): number;
  /** Speaks SSH on the socket. The connection has ended, with all that it was doing, when `closed` resolves. */
  serve(socket: Socket, policy: PolicyName, gate: Gate): { closed: Promise<void> };
  /** Ends those without a login whose address has a penalty by now. */
  closeUnauthenticated(): void;
  /** From the next connection on: open ones keep the host keys with which they began. @throws ServerError `bad_host_key` */
  replaceHostKeys(hostKeys: readonly HostKey[]): void;
  /** Uploads in progress get `graceMs` to finish, then abort. Resolves when every connection is closed. */
  stop(graceMs: number): Promise<void>;
}

/** @throws ServerError `bad_host_key` */
export function createConnections(deps: ConnectionsDeps): Connections {
  const { settings, logger, logLimiter } = deps;
  const open = new Map<Socket, Connection>();
  const transport = loadTransport({ isGuest: deps.isGuest === true });
  if (transport.lacking !== null) logger.warn('no post-quantum key exchange', { reason: transport.lacking });
  const createServersWith = (hostKeys: readonly HostKey[]): SshServers =>
    createSshServers(hostKeys, {
      transport,
      keepaliveSeconds: settings.keepaliveSeconds,
      onClient: (client, info) => open.get(socketOf(client))?.attach(client, info, hostKeys),
    });
  let sshServers = createServersWith(deps.hostKeys);

  const begin = async (socket: Socket, named: PolicyName, connection: Connection, address: string): Promise<void> => {
    const software = await exchangeIdentification(socket, (received) =>
      warnOfUnlistedProxy(received, address, { logger, logLimiter }),
    );
    if (software === null) {
      connection.close('no SSH client', 'not the SSH protocol');
      return;
    }
    dropOwnIdentification(socket);
    const policy = choosePolicy(named, software, settings.accommodateOldClients === 'on');
    connection.takesSha1 = policies[policy].takesSha1;
    sshServers.inject(socket, policy);
  };

  return {
    count: () => open.size,
    serve(socket, policy, gate) {
      const connection = new Connection(socket, gate, deps);
      open.set(socket, connection);
      void connection.closed.then(() => open.delete(socket));
      void begin(socket, policy, connection, gate.address);
      return connection;
    },
    closeUnauthenticated() {
      for (const connection of open.values()) connection.closeUnauthenticated();
    },
    replaceHostKeys(hostKeys) {
      sshServers = createServersWith(hostKeys);
    },
    async stop(graceMs) {
      for (const connection of open.values()) connection.closeWhenQuiet();
      await allClosed(open, graceMs);
      for (const connection of open.values()) connection.close('the server stops', null);
      await allClosed(open);
    },
  };
}

/** Resolves when every connection is closed, or after `mostMs`. */
async function allClosed(connections: ReadonlyMap<Socket, Connection>, mostMs?: number): Promise<void> {
  const closed = Promise.all([...connections.values()].map((connection) => connection.closed));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    if (mostMs !== undefined) timer = setTimeout(resolve, mostMs);
  });
  await Promise.race([closed, late]);
  clearTimeout(timer);
}
