/** Ends a connection whose bytes are no answer of PostgreSQL: a proxy has mixed up or invented them. The driver would throw where nothing catches it, or wait for ever. */
import type pg from 'pg';

interface Wire {
  attachListeners(stream: Stream): void;
}

interface Stream {
  listeners(event: 'data'): ((bytes: Buffer) => void)[];
  on(event: 'data', read: (bytes: Buffer) => void): unknown;
  off(event: 'data', read: (bytes: Buffer) => void): unknown;
  destroy(error: Error): unknown;
}

/** A message is its type, then its length in four bytes, which counts these four too. */
const headerBytes = 5;
/** The types that a server sends: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const types: ReadonlySet<number> = new Set(Buffer.from('RKSTDCZENIAGHWdc123nstvV'));
/** No answer to Dropslot is so long. Of text that is no message, the length would be larger. */
const mostBytes = 256 * 1024 * 1024;

/** Before it connects. Its statements then fail with protocol_violation (08P01). */
export function guardAnswers(client: pg.Client): void {
  const wire = (client as unknown as { connection: Wire }).connection;
  const attach = wire.attachListeners;
  wire.attachListeners = (stream) => {
    attach.call(wire, stream);
    const areMessages = createCheck();
    for (const read of stream.listeners('data')) {
      stream.off('data', read);
      stream.on('data', (bytes) => {
        try {
          if (!areMessages(bytes)) throw new Error('neither a type nor a length of a message');
          read.call(stream, bytes);
        } catch (cause) {
          stream.destroy(violation(cause));
        }
      });
    }
  };
}

function violation(cause: unknown): Error {
  const message = 'the database server, or a proxy before it, sent bytes that are no answer of PostgreSQL';
  return Object.assign(new Error(message, { cause }), { code: '08P01' });
}

/** Follows the headers of the messages in a stream; false: these bytes are none. */
function createCheck(): (bytes: Buffer) => boolean {
  const header = Buffer.alloc(headerBytes);
  let known = 0;
  /** Of the body of the present message, still to come. */
  let rest = 0;
  return (bytes) => {
    for (let at = 0; at < bytes.length; ) {
      if (rest > 0) {
        const part = Math.min(rest, bytes.length - at);
        rest -= part;
        at += part;
        continue;
      }
      let [type, length] = [0, 0];
      if (known === 0 && bytes.length - at >= headerBytes) {
        [type, length] = [bytes[at]!, bytes.readUInt32BE(at + 1)];
        at += headerBytes;
      } else {
        header[known++] = bytes[at++]!;
        if (known < headerBytes) continue;
        known = 0;
        [type, length] = [header[0]!, header.readUInt32BE(1)];
      }
      if (!types.has(type) || length < 4 || length > mostBytes) return false;
      rest = length - 4;
    }
    return true;
  };
}
