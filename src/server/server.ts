/** Starts the SFTP server, and stops it: the listener, ssh2, and the connections between them. */
import type { Socket } from 'node:net';
import ssh2 from 'ssh2';
import type { HostKey } from '../keys/host.js';
import { algorithms } from './algorithms.js';
import { tuneCollector } from './collector.js';
import { Connection, type OrgCounter } from './connection.js';
import { ServerError } from './error.js';
import { dropOwnIdentification, exchangeIdentification, software } from './identification.js';
import { listen } from './listener.js';
import { socketOf } from './quirks.js';
import type { RunningServer, ServerDeps } from './types.js';

/** A client that answers none of four of these is gone. */
const keepaliveMs = 30_000;

/**
 * Listens until `stop`.
 * @throws ServerError: `port_in_use`, `address_unavailable`, or `bad_host_key`.
 */
export async function startServer(deps: ServerDeps): Promise<RunningServer> {
  const { settings, logger } = deps;
  tuneCollector();
  const connections = new Map<Socket, Connection>();
  const orgs = countOrgs(settings.maxConnectionsPerOrg);
  const openDoor = (hostKeys: readonly HostKey[]): Door => {
    const ssh = createSsh(hostKeys);
    ssh.on('connection', (client, info) => connections.get(socketOf(client))?.attach(client, info, hostKeys));
    return { injectSocket: (socket) => ssh.injectSocket(socket) };
  };
  let door = openDoor(deps.hostKeys);

  const accept = async (socket: Socket): Promise<void> => {
    if (connections.size >= settings.maxConnections) {
      logger.warn('connection refused: there are as many as maxConnections allows', { address: socket.remoteAddress });
      socket.destroy();
      return;
    }
    const connection = new Connection(socket, deps, orgs);
    connections.set(socket, connection);
    void connection.closed.then(() => connections.delete(socket));
    if (!(await exchangeIdentification(socket))) {
      connection.close('no SSH client');
      return;
    }
    dropOwnIdentification(socket);
    door.injectSocket(socket);
  };

  const listener = await listen(settings, (socket) => void accept(socket));
  return {
    host: listener.host,
    port: listener.port,
    replaceHostKeys(hostKeys) {
      // Connections that are there keep the keys that their clients know them by.
      door = openDoor(hostKeys);
    },
    async stop(graceMs) {
      listener.close();
      for (const connection of connections.values()) connection.closeWhenQuiet();
      await allClosed(connections, graceMs);
      for (const connection of connections.values()) connection.close('the server stops');
      await allClosed(connections);
    },
  };
}

/** ssh2 fixes the host keys of a server when it is made: other keys take another one. */
interface Door {
  injectSocket(socket: Socket): void;
}

function createSsh(hostKeys: readonly HostKey[]): ssh2.Server {
  try {
    return new ssh2.Server({
      hostKeys: hostKeys.filter(({ state }) => state === 'active').map(({ privateKey }) => privateKey),
      algorithms,
      ident: software,
      keepaliveInterval: keepaliveMs,
      keepaliveCountMax: 4,
    });
  } catch (cause) {
    throw new ServerError('bad_host_key', `the host keys can't be used: ${(cause as Error).message}`, { cause });
  }
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

function countOrgs(most: number): OrgCounter {
  const counts = new Map<string, number>();
  const countOf = (org: string): number => counts.get(org) ?? 0;
  return {
    enter(org) {
      if (countOf(org) >= most) return false;
      counts.set(org, countOf(org) + 1);
      return true;
    },
    leave(org) {
      if (countOf(org) > 1) counts.set(org, countOf(org) - 1);
      else counts.delete(org);
    },
  };
}
