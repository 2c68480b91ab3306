/** The error that a program which embeds Dropslot gets. */
import { describeFailure } from '../../operations/failure.js';
import type { DropslotErrorCode } from './api.d.ts';

export class DropslotError extends Error {
  override name = 'DropslotError';

  constructor(
    readonly code: DropslotErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Any error as one of these; the original is its cause. */
export function toDropslotError(error: unknown): DropslotError {
  if (error instanceof DropslotError) return error;
  const { code, message } = describeFailure(error);
  return new DropslotError(code, message, { cause: error });
}
