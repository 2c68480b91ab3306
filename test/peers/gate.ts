/** A relay in front of the server that lets a client send so many bytes and then no more: its upload stands in the middle. */
import { connect, createServer, type Socket } from 'node:net';
import type { Scope } from '../support/temporary.js';

export interface Gate {
  port: number;
  /** Resolves when some connection has sent all that it may. */
  held: Promise<void>;
  /** What clients sent through it, all that SSH adds included. */
  sentBytes(): number;
}

/** `mostBytes`: of one connection, from its client, with all that SSH adds. */
export async function openGate(scope: Scope, to: { host: string; port: number }, mostBytes: number): Promise<Gate> {
  const sockets = new Set<Socket>();
  let sentBytes = 0;
  let markHeld!: () => void;
  const held = new Promise<void>((resolve) => {
    markHeld = resolve;
  });
  const server = createServer((client) => {
    const peer = connect(to.port, to.host);
    let leftBytes = mostBytes;
    for (const socket of [client, peer]) {
      sockets.add(socket.setNoDelay(true));
      socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    }
    peer.once('close', () => client.destroy());
    // What has passed the gate arrives: a reset would take back what the server has not read yet.
    client.once('close', () => peer.end());
    peer.pipe(client);
    client.on('data', (chunk: Buffer) => {
      sentBytes += chunk.length;
      if (leftBytes <= 0) return;
      peer.write(chunk.subarray(0, leftBytes));
      leftBytes -= chunk.length;
      if (leftBytes <= 0) markHeld();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as { port: number }).port, held, sentBytes: () => sentBytes };
}
