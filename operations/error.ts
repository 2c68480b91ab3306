/** Owns the errors of operations: one error class with a closed set of codes. */
export type OperationErrorCode =
  /** The operation failed, or a check found a problem. */
  | 'failed'
  /** The command, an option or a value is wrong. */
  | 'usage'
  /** An object that the command names does not exist. */
  | 'not_found'
  /** It exists already, is in use, or needs a confirmation. */
  | 'refused'
  /** A resource can't be reached: a database, a port, the data folder's lock. */
  | 'unavailable';

export class OperationError extends Error {
  override name = 'OperationError';
  constructor(
    readonly code: OperationErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
