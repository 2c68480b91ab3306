/** What may go wrong with a database, as one error class with a closed set of codes. */
export type DatabaseErrorCode =
  /** Can't be opened or reached. */
  | 'unavailable'
  /** Written by a newer Dropslot. */
  | 'newer_schema'
  /** A unique name is taken. */
  | 'duplicate'
  /** Another writer came first: what was read no longer holds. */
  | 'conflict'
  /** A reader took so long that its transaction was ended. */
  | 'stalled';

export class DatabaseError extends Error {
  override name = 'DatabaseError';
  constructor(
    readonly code: DatabaseErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Whether a statement failed on a unique index, in either dialect. */
export function isUniqueViolation(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return code === '23505' || (code === 'SQLITE_CONSTRAINT' && /UNIQUE|PRIMARY KEY/.test(message ?? ''));
}
