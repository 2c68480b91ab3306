/** Owns the errors of the server as a whole: one error class with a closed set of codes. */
export type ServerErrorCode =
  /** Another program listens on this port. */
  | 'port_in_use'
  /** The machine has no such address, or this user may not listen on that port. */
  | 'address_unavailable'
  /** The host keys can't be used. */
  | 'bad_host_key';

/** `message` is one sentence that says what to do. */
export class ServerError extends Error {
  override name = 'ServerError';
  constructor(
    readonly code: ServerErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
