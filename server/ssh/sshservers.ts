/** Owns the ssh2 servers, one for each policy: ssh2 fixes algorithms and host keys when a server is created. */
import type { Socket } from 'node:net';
import type { Connection as Client, ClientInfo, KexAlgorithm, Server } from 'ssh2';
import type { HostKey } from '../../keys/host/hostkeys.js';
import { ServerError } from '../error.js';
import { type Policy, policies } from './algorithms.js';
import { software } from './identification.js';
import type { Transport } from './postquantum.js';
import { readOnce } from './ssh2fixes.js';

export type PolicyChoice = keyof typeof policies;

export interface SshServers {
  inject(socket: Socket, policy: PolicyChoice): void;
}

interface SshServersOptions {
  transport: Transport;
  keepaliveSeconds: number;
  /** Runs before ssh2 reads the first packet. */
  onClient(client: Client, info: ClientInfo): void;
}

/** A client that leaves this many keepalives unanswered is disconnected. */
const mostUnanswered = 4;

/** @throws ServerError `bad_host_key` */
export function createSshServers(hostKeys: readonly HostKey[], options: SshServersOptions): SshServers {
  const servers = new Map(
    (Object.keys(policies) as PolicyChoice[]).map((name) => [name, createSsh(policies[name], hostKeys, options)]),
  );
  return { inject: (socket, policy) => servers.get(policy)!.injectSocket(socket) };
}

/** @throws Error when it is no private key */
function readHostKey({ ssh2 }: Transport, privateKey: string): { key: string } {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  return readOnce(parsed);
}

function createSsh({ algorithms }: Policy, hostKeys: readonly HostKey[], options: SshServersOptions): Server {
  const { transport } = options;
  const offered: readonly string[] = algorithms.serverHostKey;
  const active = hostKeys.filter(({ state }) => state === 'active');
  const fitting = active.filter(({ type }) => offered.includes(type === 'ssh-rsa' ? 'rsa-sha2-512' : type));
  try {
    const server = new transport.ssh2.Server({
      // An outdated host key is better than a port that accepts no client.
      hostKeys: (fitting.length > 0 ? fitting : active).map(({ privateKey }) => readHostKey(transport, privateKey)),
      algorithms: { ...algorithms, kex: [...transport.kex, ...algorithms.kex] as KexAlgorithm[] },
      ident: software,
      keepaliveInterval: options.keepaliveSeconds * 1000,
      keepaliveCountMax: mostUnanswered,
    });
    return server.on('connection', options.onClient);
  } catch (cause) {
    throw new ServerError('bad_host_key', `the host keys can't be used: ${(cause as Error).message}`, { cause });
  }
}
