/** Prepares a socket for another process: its bytes must be read there, and those that were read here go with it. */
import type { Socket } from 'node:net';

interface Handle {
  reading: boolean;
  readStop(): void;
}

/**
 * Stops reading. Returns the bytes that were read and not taken; null: none. `pause` alone is not enough: the system's handle
 * goes on reading, and its bytes are lost with the socket.
 */
export function stopReading(socket: Socket): Buffer | null {
  socket.pause();
  // Before the handle stops: it may begin to read again.
  const rest = socket.readableLength === 0 ? null : (socket.read() as Buffer | null);
  const { _handle: handle } = socket as Socket & { _handle: Handle | null };
  if (handle?.reading === true) {
    handle.reading = false;
    handle.readStop();
  }
  return rest;
}
