/** The error of a run that is given back: its files wait for the next importer. */
export type ImportErrorCode =
  /** The importer stops; the next start continues the run. */
  | 'stopping'
  /** The disk is nearly full: the run is tried again when it has space. */
  | 'no_space'
  /** Another importer has taken the run over. */
  | 'lease_lost'
  /** The undo would leave the organization without an admin. */
  | 'unsafe'
  /** The import hooks can't be loaded, or failed: the run is tried again until they are corrected. */
  | 'hooks'
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
