/** What may go wrong in the SFTP layer itself, as one error class with a closed set of codes. */
export type SftpErrorCode =
  /** The client breaks the protocol: its session ends. */
  | 'malformed'
  /** A request or an extension that is not served. */
  | 'not_served'
  | 'unknown_handle'
  | 'too_many_handles'
  /** The handle is of another kind, or was not opened for that. */
  | 'wrong_handle'
  /** Not this way: the same file twice, a block of no size. */
  | 'bad_request'
  /** No one of that name, or no algorithm. */
  | 'unknown_name'
  /** There are no links here. */
  | 'no_links'
  | 'read_only_session'
  /** The key that logged in may not read. */
  | 'upload_only'
  /** The session was ended while the request waited for its turn. */
  | 'ended';

export class SftpError extends Error {
  override name = 'SftpError';
  constructor(
    readonly code: SftpErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
