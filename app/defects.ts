/** A process ends at its first defect, and logs its stack. */
import type { Logger } from '../config/logger.js';

/**
 * From now on an error that nothing catches ends the process. Returns the function that ends it, for an error that is caught.
 * @param message for the log
 * @param end absent: exit code 1, at once
 */
export function dieOfDefects(
  logger: Logger,
  message: string,
  end: () => void = () => process.exit(1),
): (cause: unknown) => void {
  const die = (cause: unknown): void => {
    logger.error(message, { reason: (cause as Error).message, stack: (cause as Error).stack });
    end();
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
  return die;
}
