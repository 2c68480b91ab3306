/** Owns the errors of the SFTP layer itself: one error class with a closed set of codes. */
export type SftpErrorCode =
  /** The client breaks the protocol: its session ends. */
  | 'malformed'
  /** A request or an extension that is not served. */
  | 'not_served'
  | 'unknown_handle'
  | 'too_many_handles'
  /** The handle is of another kind, or was not opened for that. */
  | 'wrong_handle'
  /** Arguments that make no sense: the same file twice, a block without size. */
  | 'bad_request'
  /** There is no such user, or no such algorithm. */
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
