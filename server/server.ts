/** Starts and stops the SFTP server of one process: its listeners, the reception and every connection. */
import type { Socket } from 'node:net';
import type { PolicyName } from '../config/network.js';
import { tuneCollector } from './garbagecollector.js';
import { createSessionRegister } from './sessionregister.js';
import { type Connections, createConnections } from './ssh/connections.js';
import { openEntrance } from './ssh/entrance.js';
import { createGate } from './ssh/gate.js';
import { listenAll } from './ssh/listener.js';
import { createSessionLimits } from './ssh/sessionlimits.js';
import type { RunningServer, ServerDeps } from './types.js';

/**
 * Listens until `stop`.
 * @throws ServerError: `port_in_use`, `address_unavailable`, or `bad_host_key`.
 */
export async function startServer(deps: ServerDeps): Promise<RunningServer> {
  const { settings, now } = deps;
  if (deps.isGuest !== true) tuneCollector();
  let connections: Connections | null = null;
  const countConnections = (): number => connections?.count() ?? 0;
  const entrance = await openEntrance(deps, {
    countConnections,
    onPenalty: () => connections?.closeUnauthenticated(),
  });
  const register = createSessionRegister({ ...deps, kind: 'serve' });
  const stopServices = async (): Promise<void> => {
    await entrance.stop();
    await register.stop();
  };
  try {
    const { reception, logLimiter, failedLogins } = entrance;
    const sessionLimits = createSessionLimits(settings, now);
    const talks = createConnections({ ...deps, sessionLimits, logLimiter, failedLogins, register });
    connections = talks;
    const accept = async (socket: Socket, policy: PolicyName): Promise<void> => {
      const origin = await reception.admit(socket);
      if (origin !== null) talks.serve(socket, policy, createGate(reception, origin));
    };
    const listeners = await listenAll(settings, (socket, policy) => void accept(socket, policy));
    return {
      host: listeners[0]!.host,
      port: listeners[0]!.port,
      listeners: listeners.map(({ host, port, policy }) => ({ host, port, policy })),
      countConnections,
      replaceHostKeys: (hostKeys) => talks.replaceHostKeys(hostKeys),
      async stop(graceMs) {
        for (const listener of listeners) listener.close();
        await talks.stop(graceMs);
        await stopServices();
      },
    };
  } catch (error) {
    await stopServices();
    throw error;
  }
}
