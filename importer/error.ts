/** Why a run was left where it was; the files and the run wait for the next importer. */
export type ImportErrorCode =
  /** The importer stops: the run goes on at the next start. */
  | 'stopping'
  /** Another importer has taken the run over. */
  | 'lease_lost'
  /** What was asked for would leave the organization without an admin. */
  | 'unsafe'
  /** The directory kept changing while the run was planned. */
  | 'contended';

export class ImportError extends Error {
  override name = 'ImportError';
  constructor(
    readonly code: ImportErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
