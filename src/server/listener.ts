/** Listens for TCP connections, and says in one sentence why it can't. */
import { createServer, type Server, type Socket } from 'node:net';
import { ServerError } from './error.js';

export interface Listener {
  host: string;
  port: number;
  /** No new connections from here on. */
  close(): void;
}

/**
 * Without a host it listens on every address of the machine; port 0 takes a free one.
 * @throws ServerError when the port is taken or can't be had.
 */
export function listen(
  { host, port }: { host?: string | undefined; port: number },
  accept: (socket: Socket) => void,
): Promise<Listener> {
  // Nagle's algorithm makes uploads five times slower: each answer would wait for the client's acknowledgement.
  const server = createServer({ noDelay: true }, accept);
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explain(error, host, port)));
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => resolve(listenerOf(server)));
  });
}

function listenerOf(server: Server): Listener {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without an address');
  return { host: address.address, port: address.port, close: () => void server.close() };
}

function explain(error: NodeJS.ErrnoException, host: string | undefined, port: number): ServerError {
  const where = host === undefined ? `port ${port}` : `${host} port ${port}`;
  if (error.code === 'EADDRINUSE')
    return new ServerError('port_in_use', `${where} is in use by another program; choose another one with --port`, {
      cause: error,
    });
  const why = error.code === 'EACCES' ? 'this user may not use it' : error.message;
  return new ServerError('address_unavailable', `can't listen on ${where}: ${why}`, { cause: error });
}
