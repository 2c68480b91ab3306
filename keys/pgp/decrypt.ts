/**
 * Decrypts an OpenPGP message as a stream of bounded memory. Its bytes are not authenticated before the end: only a reader that saw the
 * end without an error may use them.
 */
import type { Message, VerifyMessageResult } from 'openpgp';
import { PgpError } from './error.js';
import { loadOpenpgp, shortReason } from './pgpkey.js';

type VerificationResult = VerifyMessageResult['signatures'][number];

export interface DecryptInput {
  /** Private keys in armor, without passphrases; none for a message that is not encrypted. */
  privateKeys: readonly string[];
  /** Public keys in armor whose signatures are checked. */
  publicKeys: readonly string[];
  /** Whether a message without protection of its integrity is read. */
  allowsUnprotected: boolean;
  /** Milliseconds since 1970. */
  now: number;
  /** How often it is looked whether the library goes on, in ms; absent: each second. */
  tickMs?: number;
}

/**
 * The library waits for ever for the rest of some messages whose encrypted bytes were changed. After so many ticks in which it neither
 * asked for bytes nor gave any, the message is damaged. Ticks do not count while it works, nor while this process stands still.
 */
const stalledTicks = 10;
const usualTickMs = 1_000;
const changed = 'it was cut off or changed after it was encrypted';

export interface SignatureCheck {
  /** Key id in capital hexadecimal digits. */
  keyId: string;
  /** null: valid. `unknown`: none of the public keys made it. */
  problem: string | null | 'unknown';
}

/**
 * @param chunks the message without armor.
 * @param onSignatures gets all signatures once the whole message is read and authentic.
 * @throws PgpError `damaged`, `unsupported`; errors of `chunks` as they are
 */
export async function* decryptPgp(
  chunks: AsyncIterable<Buffer>,
  input: DecryptInput,
  onSignatures: (signatures: SignatureCheck[]) => void,
): AsyncGenerator<Buffer> {
  const feed = toStream(chunks);
  let isStalled = false;
  const inTime = <T>(work: Promise<T>): Promise<T> =>
    untilStalled(work, feed, input.tickMs ?? usualTickMs, () => {
      isStalled = true;
    });
  try {
    const { data, signatures } = await inTime(open(feed.stream, input));
    const reader = data.getReader();
    try {
      for (;;) {
        const next = await inTime(reader.read());
        if (next.done) break;
        yield Buffer.from(next.value);
      }
    } finally {
      const cancelled = reader.cancel().catch(() => {});
      if (!isStalled) await cancelled;
    }
    onSignatures(await inTime(Promise.all(signatures.map(checkSignature))));
  } catch (error) {
    if (feed.failure() !== null) throw feed.failure();
    if (error instanceof PgpError) throw error;
    throw translate(error);
  }
}

async function open(
  stream: ReadableStream<Uint8Array>,
  { privateKeys, publicKeys, allowsUnprotected, now }: DecryptInput,
): Promise<{ data: ReadableStream<Uint8Array>; signatures: VerificationResult[] }> {
  const openpgp = await loadOpenpgp();
  const config = {
    // Rows are used only after a first reading to the end.
    allowUnauthenticatedStream: true,
    allowUnauthenticatedMessages: allowsUnprotected,
    // The forms of GnuPG 2.3 and later.
    enableParsingV5Entities: true,
    // Keys of old programs do not say their purpose.
    allowMissingKeyFlags: true,
  };
  const message = (await openpgp.readMessage({ binaryMessage: stream, config })) as Message<ReadableStream<Uint8Array>>;
  const verificationKeys = await Promise.all(publicKeys.map((armoredKey) => openpgp.readKey({ armoredKey })));
  const options = { message, format: 'binary', date: new Date(now), config } as const;
  const signers = verificationKeys.length > 0 ? { verificationKeys } : {};
  const decryptionKeys = await Promise.all(privateKeys.map((armoredKey) => openpgp.readPrivateKey({ armoredKey })));
  const result =
    decryptionKeys.length > 0
      ? await openpgp.decrypt({ ...options, ...signers, decryptionKeys })
      : await openpgp.verify({ ...options, verificationKeys });
  for (const { verified, signature } of result.signatures) {
    verified.catch(() => {});
    signature.catch(() => {});
  }
  return result as unknown as { data: ReadableStream<Uint8Array>; signatures: VerificationResult[] };
}

async function checkSignature({ keyID, verified }: VerificationResult): Promise<SignatureCheck> {
  const keyId = keyID.toHex().toUpperCase();
  try {
    await verified;
    return { keyId, problem: null };
  } catch (error) {
    const reason = shortReason(error);
    return { keyId, problem: /could not find signing key/i.test(reason) ? 'unknown' : reason };
  }
}

/** @throws PgpError `damaged` when the library waits for bytes that do not come, after `onStalled` */
async function untilStalled<T>(work: Promise<T>, feed: Feed, tickMs: number, onStalled: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let seen = feed.asked();
  let idle = 0;
  const stalled = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      const isAsking = feed.isWaiting() || feed.asked() !== seen;
      seen = feed.asked();
      idle = isAsking ? 0 : idle + 1;
      if (idle < stalledTicks) return;
      onStalled();
      reject(new PgpError('damaged', changed));
    }, tickMs);
  });
  // It may still fail after that.
  work.catch(() => {});
  try {
    return await Promise.race([work, stalled]);
  } finally {
    clearInterval(timer);
  }
}

interface Feed {
  stream: ReadableStream<Uint8Array>;
  failure(): unknown;
  /** How often the library has asked for bytes. */
  asked(): number;
  /** Whether it waits for bytes that are being read. */
  isWaiting(): boolean;
}

function toStream(chunks: AsyncIterable<Buffer>): Feed {
  const iterator = chunks[Symbol.asyncIterator]();
  let failure: unknown = null;
  let asked = 0;
  let isWaiting = false;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        asked++;
        isWaiting = true;
        try {
          const { done, value } = await iterator.next();
          if (done === true) controller.close();
          else controller.enqueue(new Uint8Array(value));
        } catch (error) {
          failure = error;
          controller.error(error);
        } finally {
          isWaiting = false;
        }
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, failure: () => failure, asked: () => asked, isWaiting: () => isWaiting };
}

function translate(error: unknown): PgpError {
  const reason = shortReason(error);
  if (
    /modification detected|authentication|unable to authenticate|invalid tag|misformed|premature|end of/i.test(reason)
  )
    return new PgpError('damaged', changed, { cause: error });
  if (/unsupported|not supported|unknown|disabled|too large|too high/i.test(reason))
    return new PgpError('unsupported', reason, { cause: error });
  return new PgpError('damaged', `it cannot be read (${reason})`, { cause: error });
}
