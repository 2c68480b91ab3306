/** A log file that several processes append to: no line is torn, and a file that is large, or was moved away, gets a successor. */
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Writable } from 'node:stream';

export interface LogFileOptions {
  file: string;
  /** Bytes at which the file is moved away; null: this process moves nothing. */
  mostBytes: number | null;
  /** Older files that are kept. */
  kept: number;
  /** Gets lines that could not be written, and the first failure in a sentence. */
  fallback: (text: string) => void;
  now?: () => number;
  /** How often it looks for a file that is too large, or was moved away by another program. */
  everyMs?: number;
}

export interface LogFile extends Writable {
  /** Opens the file that has the name now: after another program moved the old one away. */
  reopen(): void;
}

/**
 * Each line is one write to a file that was opened for appending, which the system never mixes with those of other processes. It is
 * synchronous, so that no line is lost when the process exits.
 * @throws the system's error when the file can't be opened
 */
export function openLogFile({
  file,
  mostBytes,
  kept,
  fallback,
  now = Date.now,
  everyMs = 1000,
}: LogFileOptions): LogFile {
  let descriptor: number | null = openFile(file);
  let isFailing = false;
  let cannotRotate = false;
  /** A full disk cut off the last line: the next one begins on a line of its own. */
  let isTorn = false;

  const reopen = (): void => {
    const former = descriptor;
    try {
      descriptor = openFile(file);
      if (former !== null) closeSync(former);
    } catch (error) {
      complain(error);
    }
  };
  const complain = (error: unknown): void => {
    if (!isFailing)
      fallback(
        `dropslot: could not write the log ${file} (${(error as Error).message}); lines are written here meanwhile\n`,
      );
    isFailing = true;
  };
  const append = (line: Buffer): void => {
    let written = 0;
    try {
      descriptor ??= openFile(file);
      const text = isTorn ? Buffer.concat([lineFeed, line]) : line;
      while (written < text.length) written += writeSync(descriptor, text, written);
      isTorn = false;
      isFailing = false;
    } catch (error) {
      isTorn ||= written > 0;
      complain(error);
      fallback(line.toString());
    }
  };
  const look = (): void => {
    if (descriptor === null) return;
    try {
      const { ino, dev, size } = fstatSync(descriptor);
      const named = statSync(file, { throwIfNoEntry: false });
      const isMoved = named?.ino !== ino || named.dev !== dev;
      if (!isMoved && (mostBytes === null || size < mostBytes)) return;
      if (!isMoved) moveAway(file, kept, now());
      cannotRotate = false;
      reopen();
    } catch (error) {
      if (!cannotRotate)
        fallback(`dropslot: could not rotate the log ${file} (${(error as Error).message}); it keeps growing\n`);
      cannotRotate = true;
    }
  };
  const timer = setInterval(look, everyMs).unref();
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      append(chunk);
      done();
    },
    final(done) {
      clearInterval(timer);
      if (descriptor !== null) closeSync(descriptor);
      descriptor = null;
      done();
    },
  });
  return Object.assign(stream, { reopen });
}

const lineFeed = Buffer.from('\n');

function openFile(file: string): number {
  return openSync(file, 'a', 0o600);
}

/** A name of its own for each old file: should two processes move it at once, neither replaces the other's. */
function moveAway(file: string, kept: number, at: number): void {
  const nameAt = (ms: number) => `${file}.${new Date(ms).toISOString().replace(/[:.]/g, '-')}`;
  let ms = at;
  while (existsSync(nameAt(ms))) ms++;
  renameSync(file, nameAt(ms));
  const old = listOldFiles(file).filter((name) => name !== nameAt(ms));
  for (const name of old.slice(0, Math.max(0, old.length + 1 - kept))) unlinkSync(name);
}

/** Oldest first. */
function listOldFiles(file: string): string[] {
  const start = `${basename(file)}.`;
  const isOld = (name: string) =>
    name.startsWith(start) && /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z$/.test(name.slice(start.length));
  return readdirSync(dirname(file))
    .filter(isOld)
    .sort()
    .map((name) => join(dirname(file), name));
}
