/** What may go wrong with a key, as one error class with a closed set of codes. */
export type KeyErrorCode =
  /** The file can't be read or written: permissions, a missing folder, a failing disk. */
  | 'unreadable'
  /** Read, but no key of the kind that is expected. */
  | 'malformed'
  /** A sound key that may not be used: too short, an outdated algorithm, the wrong master identity. */
  | 'refused'
  /** Not there. */
  | 'missing'
  /** Protected by a passphrase that is not there, or is another one. */
  | 'locked'
  /** This process takes uploads only, and holds no key that opens anything. */
  | 'withheld'
  /** Destroyed on purpose: nothing opens what it sealed. */
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
