/** Gathers the packets that a connection sends in one turn of the event loop into one system call: ssh2 makes one for each. */
import type { Socket } from 'node:net';

/** Of a login a quarter of the processor time is writes to the socket, and a third of its packets follow another one at once. */
export function gatherWrites(socket: Socket): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let isGathering = false;
  const send = () => {
    isGathering = false;
    socket.uncork();
  };
  const gather = (...args: unknown[]): boolean => {
    if (!isGathering) {
      isGathering = true;
      socket.cork();
      process.nextTick(send);
    }
    return write(...args);
  };
  socket.write = gather as Socket['write'];
}
