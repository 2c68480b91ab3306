/** Exchanges the identification lines that open every SSH connection (RFC 4253, section 4.2), before ssh2 gets the socket. */
import type { Socket } from 'node:net';

/** The server's identification. It has no version, which would help only attackers. */
export const software = 'Dropslot';

const ours = Buffer.from(`SSH-2.0-${software}\r\n`);
const longestLine = 255;

/**
 * Sends the server's line and waits for the client's, in any number of segments (ssh2 fails on three), then puts the bytes
 * back into the socket. Resolves with the client's software; null: it sent no identification, or left.
 * @param onOther gets the bytes of a client that sent something else.
 */
export function exchangeIdentification(socket: Socket, onOther: (received: Buffer) => void): Promise<string | null> {
  socket.write(ours);
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    const finish = (software: string | null): void => {
      socket.pause();
      socket.off('data', onData).off('close', onClose);
      if (software !== null) socket.unshift(received);
      else if (received.length > 0) onOther(received);
      resolve(software);
    };
    const onClose = (): void => finish(null);
    const onData = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf('\n');
      if (end !== -1 || received.length > longestLine) finish(readSoftware(received.subarray(0, end + 1)));
    };
    socket.on('data', onData).on('close', onClose).resume();
  });
}

function readSoftware(line: Buffer): string | null {
  if (line.length > longestLine) return null;
  const [, software = null] =
    /^SSH-(?:2\.0|1\.99)-([\x21-\x7e]+)(?: [^\r\n]*)?\r?\n$/.exec(line.toString('latin1')) ?? [];
  return software;
}

/** Drops the identification that ssh2 sends when it gets the socket: the client has it already. */
export function dropOwnIdentification(socket: Socket): void {
  // Not that of the prototype: the socket may gather its writes.
  const { write } = socket;
  socket.write = ((data: string | Uint8Array, ...rest: []) => {
    socket.write = write;
    return Buffer.from(data as Uint8Array).equals(ours) ? true : socket.write(data, ...rest);
  }) as Socket['write'];
}
