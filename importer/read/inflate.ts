/** Inflates deflated bytes in a stream with node:zlib, and leaves the bytes behind their end to the reader. */
import { createGunzip, createInflateRaw, type Gunzip, type InflateRaw } from 'node:zlib';
import type { ByteReader } from './bytereader.js';

/** The deflated bytes are damaged, or end too early. */
export class InflateError extends Error {}

const pieceBytes = 64 * 1024;

/** Deflated data without a header, as in a zip: more bytes must follow it. The next byte of the reader is the first of these. */
export function inflateRaw(reader: ByteReader): AsyncGenerator<Buffer> {
  return inflate(reader, createInflateRaw({ chunkSize: pieceBytes }), false);
}

/** A gzip file of one or more members, each with its checksum; bytes behind the last one are left to the reader. */
export function gunzip(reader: ByteReader): AsyncGenerator<Buffer> {
  return inflate(reader, createGunzip({ chunkSize: pieceBytes }), true);
}

async function* inflate(reader: ByteReader, engine: InflateRaw | Gunzip, mayEnd: boolean): AsyncGenerator<Buffer> {
  const output = watch(engine);
  try {
    while (!output.isEnded) {
      const chunk = await reader.next(pieceBytes);
      if (chunk === null && !mayEnd) throw new InflateError('it ends too early');
      const before = engine.bytesWritten;
      if (chunk === null) engine.end();
      else engine.write(chunk, output.taken());
      yield* output.pieces(() => chunk !== null);
      const used = engine.bytesWritten - before;
      if (chunk === null || used === chunk.length) continue;
      // The deflated data ends in this chunk, and the engine ends too.
      yield* output.pieces(() => false);
      reader.unread(chunk.subarray(used));
    }
  } finally {
    engine.destroy();
  }
}

interface Output {
  isEnded: boolean;
  /** The callback for a write. */
  taken(): () => void;
  /** All output until the engine has ended; with `mayPause`, or until it has taken the last write. @throws InflateError */
  pieces(mayPause: () => boolean): AsyncGenerator<Buffer>;
}

function watch(engine: InflateRaw | Gunzip): Output {
  let [isTaken, wake]: [boolean, () => void] = [false, () => {}];
  let failure: (Error & { code?: string }) | null = null;
  engine.on('readable', () => wake());
  engine.on('end', () => {
    output.isEnded = true;
    wake();
  });
  engine.on('error', (error) => {
    failure = error;
    wake();
  });
  const output: Output = {
    isEnded: false,
    taken: () => {
      isTaken = false;
      return () => {
        isTaken = true;
        wake();
      };
    },
    pieces: async function* (mayPause) {
      while (!output.isEnded) {
        if (failure !== null)
          throw new InflateError(failure.code === 'Z_BUF_ERROR' ? 'it ends too early' : failure.message, {
            cause: failure,
          });
        const piece = engine.read() as Buffer | null;
        if (piece !== null) yield piece;
        else if (isTaken && mayPause()) return;
        else if (!output.isEnded)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    },
  };
  return output;
}
