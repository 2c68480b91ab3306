/** What an operator's command may end in, other than success, as one error class with a closed set of codes. */
export type OperationErrorCode =
  /** It was tried and did not work, or something wrong was found. */
  | 'failed'
  /** The command, an option or a value is wrong. */
  | 'usage'
  /** What the command names does not exist. */
  | 'not_found'
  /** It exists already, is in use, or needs a confirmation. */
  | 'refused'
  /** Something it needs can't be reached: a database, a port, the data folder's lock. */
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
