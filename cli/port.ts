/** The port that an option names. */
import { OperationError } from '../operations/error.js';

/** @throws OperationError `usage` */
export function readPort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new OperationError('usage', `"${text}" is not a port: use 1 to 65535`);
  return port;
}
