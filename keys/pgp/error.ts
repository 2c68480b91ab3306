/** Owns the errors about OpenPGP keys and messages. */

export type PgpErrorCode =
  /** The text is no key of the expected kind, or one that is too weak. */
  | 'malformed'
  /** A passphrase protects the key, and is missing or wrong. */
  | 'locked'
  /** The message is damaged, cut off, or was changed. */
  | 'damaged'
  /** It uses an algorithm or a form that is not supported. */
  | 'unsupported';

/** `message` completes a sentence about the message, or is one about the key. */
export class PgpError extends Error {
  override name = 'PgpError';
  constructor(
    readonly code: PgpErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
