/** Starts the SFTP server, and stops it: listeners, reception, ssh2, and the connections between them. */
import type { Socket } from 'node:net';
import type { PolicyName } from '../config/network.js';
import type { HostKey } from '../keys/host/hostkeys.js';
import { tuneCollector } from './garbagecollector.js';
import { choosePolicy, policies } from './ssh/algorithms.js';
import { Connection } from './ssh/connection.js';
import { createStrangers } from './ssh/failedlogins.js';
import { dropOwnIdentification, exchangeIdentification } from './ssh/identification.js';
import { listenAll } from './ssh/listener.js';
import { createHush } from './ssh/loglimiter.js';
import { type Pause, Penalties } from './ssh/penalties.js';
import { openBulletin } from './ssh/penaltysync.js';
import { loadTransport } from './ssh/postquantum.js';
import { isProxyHeader } from './ssh/proxyprotocol.js';
import { Reception } from './ssh/reception.js';
import { createOrgRooms } from './ssh/sessionlimits.js';
import { socketOf } from './ssh/ssh2fixes.js';
import { type Door, openDoor } from './ssh/sshservers.js';
import type { RunningServer, ServerDeps } from './types.js';

const unlisted = 'connection refused: a PROXY protocol header from an address that "proxies" does not list';

/**
 * Listens until `stop`.
 * @throws ServerError: `port_in_use`, `address_unavailable`, or `bad_host_key`.
 */
export async function startServer(deps: ServerDeps): Promise<RunningServer> {
  const { settings, logger, now } = deps;
  tuneCollector();
  const connections = new Map<Socket, Connection>();
  const orgs = createOrgRooms(settings, now);
  const hush = createHush(logger);
  const strangers = createStrangers(deps);
  const transport = loadTransport();
  if (transport.lacking !== null) logger.warn('no post-quantum key exchange', { reason: transport.lacking });
  const openDoorWith = (hostKeys: readonly HostKey[]): Door =>
    openDoor(hostKeys, {
      transport,
      keepaliveSeconds: settings.keepaliveSeconds,
      onClient: (client, info) => connections.get(socketOf(client))?.attach(client, info, hostKeys),
    });
  let door = openDoorWith(deps.hostKeys);
  const penalties =
    settings.penalties === 'on' ? new Penalties({ now, longestPauseMs: settings.penaltyMinutes * 60_000 }) : null;
  const bulletin = penalties === null ? null : await openBulletin(penalties, deps);
  const onPause = (pause: Pause): void => {
    bulletin?.tell(pause);
    const { source, cause, until } = pause;
    const details = { source, cause, seconds: Math.round((until - now()) / 1000), inARow: pause.strikes };
    if (hush.allows('address pauses', 10)) logger.warn('address pauses', details);
    for (const connection of connections.values()) connection.closeStranger(source);
  };
  const reception = new Reception({
    ...{ settings, logger, hush, penalties, onPause },
    random: deps.random ?? Math.random,
    countConnections: () => connections.size,
  });

  const accept = async (socket: Socket, named: PolicyName): Promise<void> => {
    const visitor = await reception.admit(socket);
    if (visitor === null) return;
    const connection = new Connection(socket, visitor, { ...deps, orgs, reception, hush, strangers });
    connections.set(socket, connection);
    void connection.closed.then(() => connections.delete(socket));
    const software = await exchangeIdentification(socket, (received) => {
      if (isProxyHeader(received) && hush.allows(unlisted)) logger.warn(unlisted, { address: visitor.address });
    });
    if (software === null) {
      connection.close('no SSH client', 'not the SSH protocol');
      return;
    }
    dropOwnIdentification(socket);
    const policy = choosePolicy(named, software, settings.accommodateOldClients === 'on');
    connection.takesSha1 = policies[policy].takesSha1;
    door.inject(socket, policy);
  };

  const closeDoors = async (): Promise<void> => {
    reception.stop();
    hush.stop();
    await bulletin?.stop();
    await strangers.stop();
  };
  const listeners = await listenAll(settings, (socket, policy) => void accept(socket, policy)).catch(async (error) => {
    await closeDoors();
    throw error;
  });
  return {
    host: listeners[0]!.host,
    port: listeners[0]!.port,
    listeners: listeners.map(({ host, port, policy }) => ({ host, port, policy })),
    replaceHostKeys(hostKeys) {
      // Connections that are there keep the keys that their clients know them by.
      door = openDoorWith(hostKeys);
    },
    async stop(graceMs) {
      for (const listener of listeners) listener.close();
      for (const connection of connections.values()) connection.closeWhenQuiet();
      await allClosed(connections, graceMs);
      for (const connection of connections.values()) connection.close('the server stops', null);
      await allClosed(connections);
      await closeDoors();
    },
  };
}

/** Resolves when no connection is left, or after `mostMs`. */
async function allClosed(connections: ReadonlyMap<Socket, Connection>, mostMs?: number): Promise<void> {
  const closed = Promise.all([...connections.values()].map((connection) => connection.closed));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    if (mostMs !== undefined) timer = setTimeout(resolve, mostMs);
  });
  await Promise.race([closed, late]);
  clearTimeout(timer);
}
