/** Owns the errors about keys: one error class with a closed set of codes. */
export type KeyErrorCode =
  /** The file can't be read or written: permissions, a missing folder, a failing disk. */
  | 'unreadable'
  /** The content is no key of the expected kind. */
  | 'malformed'
  /** A valid key that may not be used: too short, an outdated algorithm, the wrong master identity. */
  | 'refused'
  /** There is no such key. */
  | 'missing'
  /** A passphrase protects it, and is missing or wrong. */
  | 'locked'
  /** This process accepts uploads only, and holds no key that opens files. */
  | 'withheld'
  /** Destroyed on purpose: the files sealed to it can't be opened. */
  | 'destroyed';

/** `message` says what to do, and never quotes key material. */
export class KeyError extends Error {
  override name = 'KeyError';
  constructor(
    readonly code: KeyErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
