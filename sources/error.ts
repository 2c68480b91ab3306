/** Owns the errors of sources: why a round, or one file, failed. */
export type SourceErrorCode =
  /** The host has no usable address, or no connection could be made. */
  | 'unreachable'
  /** The host has only private addresses, and the source does not allow those. */
  | 'private_address'
  /** No answer in time. */
  | 'timeout'
  /** No algorithm in common, or no SFTP. */
  | 'incompatible'
  /** The server shows another host key than the confirmed ones. */
  | 'host_key'
  /** The server accepts neither the key nor the password. */
  | 'login'
  /** The folder does not exist, is no folder, or is another one than it was. */
  | 'folder'
  /** More names than a listing may have. */
  | 'too_many'
  /** The server refused or failed a request. */
  | 'refused'
  /** The file changed, or has fewer bytes than it should. */
  | 'changing'
  /** The master key does not open the secret. */
  | 'secret'
  /** This node no longer has the lease. */
  | 'lease'
  /** The time of the round is over, or the process stops. */
  | 'stopped';

export class SourceError extends Error {
  override name = 'SourceError';
  constructor(
    readonly code: SourceErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
