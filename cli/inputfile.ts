/** Files that commands read. */
import { readFileSync } from 'node:fs';
import { OperationError } from '../operations/error.js';

/** The text of a file; `-` is standard input. @throws OperationError `not_found`, `failed` */
export function readInputFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new OperationError(code === 'ENOENT' ? 'not_found' : 'failed', `can't read ${file}: ${message}`, { cause });
  }
}
