/** Owns the errors of drops: why a file was not taken, in a closed set of codes, with the sentence that SFTP clients get too. */
import { statusOf } from '../../server/sftp/status.js';
import { SpaceError, type SpaceErrorCode } from '../../storage/types.js';

export type DropErrorCode =
  | 'usage'
  | 'forbidden'
  | 'not_found'
  | 'refused'
  /** The file exists, and the client asked for a new one. */
  | 'exists'
  | 'too_large'
  /** The quota or the disk. */
  | 'no_room'
  | 'too_many'
  | 'unavailable'
  /** The range does not begin where the kept bytes end: `offset` is where they do. */
  | 'wrong_offset'
  /** The bytes are others than those of the digest. */
  | 'wrong_digest'
  /** The client was gone before the end: what came is kept. */
  | 'cut_off';

export class DropError extends Error {
  override name = 'DropError';
  constructor(
    readonly code: DropErrorCode,
    message: string,
    /** Of `wrong_offset`: plaintext bytes that are kept. */
    readonly offset: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const codes: Readonly<Record<SpaceErrorCode, DropErrorCode>> = {
  not_found: 'not_found',
  exists: 'exists',
  not_a_folder: 'usage',
  is_a_folder: 'refused',
  not_empty: 'refused',
  read_only: 'forbidden',
  bad_name: 'usage',
  control_character: 'usage',
  too_large: 'too_large',
  quota: 'no_room',
  no_space: 'no_room',
  busy: 'too_many',
  incomplete: 'refused',
  withheld: 'refused',
  destroyed: 'refused',
  damaged: 'unavailable',
  failed: 'unavailable',
  keyless: 'refused',
  written_elsewhere: 'unavailable',
  unsupported: 'refused',
};

/** Of a space or an intake; any other error as it is. */
export function toDropError(error: unknown): unknown {
  if (!(error instanceof SpaceError)) return error;
  return new DropError(codes[error.code], statusOf(error).sentence, null, { cause: error });
}
