/** Starts and stops the SFTP server: its listeners, the reception, the ssh2 servers and every connection. */
import type { Socket } from 'node:net';
import type { PolicyName } from '../config/network.js';
import type { HostKey } from '../keys/host/hostkeys.js';
import { tuneCollector } from './garbagecollector.js';
import { createSessionRegister } from './sessionregister.js';
import { choosePolicy, policies } from './ssh/algorithms.js';
import { Connection } from './ssh/connection.js';
import { createFailedLogins } from './ssh/failedlogins.js';
import { dropOwnIdentification, exchangeIdentification } from './ssh/identification.js';
import { createKnownUsers, recallLogins } from './ssh/knownusers.js';
import { listenAll } from './ssh/listener.js';
import { createLogLimiter } from './ssh/loglimiter.js';
import type { Penalty } from './ssh/penalties.js';
import { openLoginPenalties } from './ssh/penaltysync.js';
import { loadTransport } from './ssh/postquantum.js';
import { warnOfUnlistedProxy } from './ssh/proxyprotocol.js';
import { Reception } from './ssh/reception.js';
import { createSessionLimits } from './ssh/sessionlimits.js';
import { socketOf } from './ssh/ssh2fixes.js';
import { createSshServers, type SshServers } from './ssh/sshservers.js';
import type { RunningServer, ServerDeps } from './types.js';

/**
 * Listens until `stop`.
 * @throws ServerError: `port_in_use`, `address_unavailable`, or `bad_host_key`.
 */
export async function startServer(deps: ServerDeps): Promise<RunningServer> {
  const { settings, logger, now } = deps;
  if (deps.isGuest !== true) tuneCollector();
  const connections = new Map<Socket, Connection>();
  const sessionLimits = createSessionLimits(settings, now);
  const logLimiter = createLogLimiter(logger);
  const failedLogins = createFailedLogins(deps);
  const register = createSessionRegister({ ...deps, kind: 'serve' });
  const transport = loadTransport({ isGuest: deps.isGuest === true });
  if (transport.lacking !== null) logger.warn('no post-quantum key exchange', { reason: transport.lacking });
  const createServersWith = (hostKeys: readonly HostKey[]): SshServers =>
    createSshServers(hostKeys, {
      transport,
      keepaliveSeconds: settings.keepaliveSeconds,
      onClient: (client, info) => connections.get(socketOf(client))?.attach(client, info, hostKeys),
    });
  let sshServers = createServersWith(deps.hostKeys);
  const known = createKnownUsers(now);
  await recallLogins(known, deps);
  const penalties = settings.penalties === 'on' ? await openLoginPenalties(known, deps) : null;
  const onPenalty = (penalty: Penalty): void => {
    penalties?.sync.announce(penalty);
    const { source, cause, until } = penalty;
    const details = { source, cause, seconds: Math.round((until - now()) / 1000), inARow: penalty.strikes };
    if (logLimiter.allows('penalty for an address', 10)) logger.warn('penalty for an address', details);
    for (const connection of connections.values())
      connection.closeUnauthenticated((from) => penalties?.rules.isClosed(from) === true);
  };
  const reception = new Reception({
    ...{ settings, logger, logLimiter, known, onPenalty, now },
    penalties: penalties?.rules ?? null,
    random: deps.random ?? Math.random,
    countConnections: () => connections.size,
  });

  const accept = async (socket: Socket, named: PolicyName): Promise<void> => {
    const origin = await reception.admit(socket);
    if (origin === null) return;
    const connection = new Connection(socket, origin, {
      ...deps,
      sessionLimits,
      reception,
      logLimiter,
      failedLogins,
      register,
    });
    connections.set(socket, connection);
    void connection.closed.then(() => connections.delete(socket));
    const software = await exchangeIdentification(socket, (received) =>
      warnOfUnlistedProxy(received, origin.address, { logger, logLimiter }),
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

  const stopServices = async (): Promise<void> => {
    reception.stop();
    logLimiter.stop();
    await penalties?.sync.stop();
    await failedLogins.stop();
    await register.stop();
  };
  const listeners = await listenAll(settings, (socket, policy) => void accept(socket, policy)).catch(async (error) => {
    await stopServices();
    throw error;
  });
  return {
    host: listeners[0]!.host,
    port: listeners[0]!.port,
    listeners: listeners.map(({ host, port, policy }) => ({ host, port, policy })),
    countConnections: () => connections.size,
    replaceHostKeys(hostKeys) {
      // Open connections keep the host keys with which they began.
      sshServers = createServersWith(hostKeys);
    },
    async stop(graceMs) {
      for (const listener of listeners) listener.close();
      for (const connection of connections.values()) connection.closeWhenQuiet();
      await allClosed(connections, graceMs);
      for (const connection of connections.values()) connection.close('the server stops', null);
      await allClosed(connections);
      await stopServices();
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
