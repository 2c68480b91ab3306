/** Encrypts a stream to one OpenPGP key, of bounded memory. */
import { loadOpenpgp } from './pgpkey.js';

export interface ByteSink {
  write(bytes: Buffer): Promise<void>;
}

export interface PgpSink extends ByteSink {
  /** Call after the last bytes. */
  end(): Promise<void>;
}

/** @param publicKey in armor. @param sink gets the message, in binary form. */
export async function encryptTo(publicKey: string, sink: ByteSink): Promise<PgpSink> {
  const openpgp = await loadOpenpgp();
  const key = await openpgp.readKey({ armoredKey: publicKey });
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const message = await openpgp.createMessage({ binary: readable });
  // A key that expired in the meantime still protects the reports; doctor says that it has to be replaced.
  const expiry = await key.getExpirationTime();
  const date =
    expiry instanceof Date && expiry.getTime() <= Date.now() ? new Date(expiry.getTime() - 1000) : new Date();
  const encrypted = await openpgp.encrypt({ message, encryptionKeys: key, format: 'binary', date });
  const pump = async () => {
    for await (const bytes of encrypted as unknown as AsyncIterable<Uint8Array>) await sink.write(Buffer.from(bytes));
  };
  const pumped = pump();
  // Whoever writes next gets the error.
  pumped.catch(() => {});
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  const failure = pumped.then(() => new Promise<never>(() => {}));
  failure.catch(() => {});
  return {
    write: async (bytes) => {
      await Promise.race([writer.write(new Uint8Array(bytes)), failure]);
    },
    end: async () => {
      await Promise.race([writer.close(), failure]);
      await pumped;
    },
  };
}
