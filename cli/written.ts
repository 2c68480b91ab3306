/** The result of a command that wrote a file. */
import { formatBytes, quoteName } from '../operations/format.js';
import type { Written } from './localfiles.js';
import type { Output } from './output.js';

/** Nothing on standard output after it went into a pipe or a terminal: that may be standard output itself. */
export async function showWritten(
  out: Output,
  file: string,
  { bytes, isFile }: Written,
  value: Record<string, unknown> = {},
): Promise<void> {
  const text = `Wrote ${quoteName(file)} (${formatBytes(bytes)}).`;
  if (isFile) await out.show({ ...value, file, bytes }, text);
  else out.note(text);
}
