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
}

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
  try {
    const { data, signatures } = await open(feed.stream, input);
    const reader = data.getReader();
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) yield Buffer.from(next.value);
    } finally {
      await reader.cancel().catch(() => {});
    }
    onSignatures(await Promise.all(signatures.map(checkSignature)));
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

function toStream(chunks: AsyncIterable<Buffer>): { stream: ReadableStream<Uint8Array>; failure(): unknown } {
  const iterator = chunks[Symbol.asyncIterator]();
  let failure: unknown = null;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await iterator.next();
          if (done === true) controller.close();
          else controller.enqueue(new Uint8Array(value));
        } catch (error) {
          failure = error;
          controller.error(error);
        }
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, failure: () => failure };
}

function translate(error: unknown): PgpError {
  const reason = shortReason(error);
  if (
    /modification detected|authentication|unable to authenticate|invalid tag|misformed|premature|end of/i.test(reason)
  )
    return new PgpError('damaged', 'it was cut off or changed after it was encrypted', { cause: error });
  if (/unsupported|not supported|unknown|disabled|too large|too high/i.test(reason))
    return new PgpError('unsupported', reason, { cause: error });
  return new PgpError('damaged', `it cannot be read (${reason})`, { cause: error });
}
