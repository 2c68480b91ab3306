/** The lines that a process of Dropslot writes, for a program that embeds the server and has a log of its own. */
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';

/** A longer line is cut into lines. */
const mostLineLength = 256 * 1024;

/** The standard streams of a forked process: shared with this one, or read line by line. */
export function outputStreams(
  onOutput: ((line: string) => void) | undefined,
): ('ignore' | 'inherit' | 'pipe' | 'ipc')[] {
  const stream = onOutput === undefined ? 'inherit' : 'pipe';
  return ['ignore', stream, stream, 'ipc'];
}

export function followOutput(
  { stdout, stderr }: Partial<Pick<ChildProcess, 'stdout' | 'stderr'>>,
  onOutput: (line: string) => void,
): void {
  // A process that could not be started, for want of file descriptors, has none.
  for (const stream of [stdout, stderr]) if (stream != null) followLines(stream, onOutput);
}

function followLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line !== '') onLine(line);
    if (rest.length < mostLineLength) return;
    onLine(rest);
    rest = '';
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
  stream.on('error', () => {});
}
