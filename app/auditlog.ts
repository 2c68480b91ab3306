/**
 * Writes the audit trail as JSON lines for a log collector. It reads the database, so that every line is of a committed
 * record; and it continues at its last line, so that every record gets its line.
 */
import { type FileHandle, open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import type { Logger } from '../config/logger.js';
import type { Db } from '../db/connection.js';
import { readHead, readRecords } from '../db/control/audit.js';
import { formatRecord } from '../operations/audit.js';

export interface AuditLogDeps {
  control: Db;
  /** A file, or `log` for the server's own log. */
  target: string;
  logger: Logger;
  /** How often it reads new records. */
  everyMs?: number;
}

export interface AuditLog {
  /** Reads new records now, and opens a new file when the old one was moved away. */
  wake(): void;
  /** Writes the remaining records, and ends. */
  stop(): Promise<void>;
}

const defaultEveryMs = 1000;
/** Lines are written and synced in pieces of about this size. */
const pieceBytes = 256 * 1024;

export function startAuditLog({ control, target, logger, everyMs = defaultEveryMs }: AuditLogDeps): AuditLog {
  const sink: Sink = target === 'log' ? new LogSink(logger) : new FileSink(target);
  let isStopping = false;
  let hasFailed = false;
  let wake = (): void => {};
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, everyMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const follow = async (): Promise<void> => {
    for (;;) {
      const isLast = isStopping;
      try {
        await catchUp(control, sink, logger);
        if (hasFailed) logger.info('wrote the audit log again', { target });
        hasFailed = false;
      } catch (error) {
        const reason = (error as Error).message;
        if (!hasFailed)
          logger.error('could not write the audit log; retrying until it works', { target, reason, everyMs });
        hasFailed = true;
      }
      if (isLast) break;
      if (!isStopping) await pause();
    }
    await sink.close();
  };
  const following = follow();
  return {
    wake: () => wake(),
    stop: async () => {
      isStopping = true;
      wake();
      await following;
    },
  };
}

async function catchUp(control: Db, sink: Sink, logger: Logger): Promise<void> {
  const head = await readHead(control.read);
  const position = await sink.open(head.count);
  if (position > head.count) {
    logger.error(
      'the audit log has more records than the database, which may be an older backup; writing continues with new records',
      {
        logged: position,
        recorded: head.count,
      },
    );
    await sink.write('', head.count);
    return;
  }
  let lines = '';
  let last = position;
  for await (const record of readRecords(control.read, { after: position })) {
    lines += `${formatRecord(record)}\n`;
    last = record.seq;
    if (lines.length < pieceBytes) continue;
    await sink.write(lines, last);
    lines = '';
  }
  if (lines !== '') await sink.write(lines, last);
}

interface Sink {
  /** Opens the target. @param recorded number of records in the database. @returns the last record that was written */
  open(recorded: number): Promise<number>;
  /** Durable once it resolves. */
  write(lines: string, last: number): Promise<void>;
  close(): Promise<void>;
}

/** Begins at the server's start: earlier records are in the earlier log. */
class LogSink implements Sink {
  #position: number | null = null;

  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  async open(recorded: number): Promise<number> {
    this.#position ??= recorded;
    return this.#position;
  }

  async write(lines: string, last: number): Promise<void> {
    for (const line of lines.split('\n').slice(0, -1)) this.#logger.info('audit', { record: JSON.parse(line) });
    this.#position = last;
  }

  async close(): Promise<void> {}
}

/** Appends to a file; after the file was moved away, it begins a new one. */
class FileSink implements Sink {
  #handle: FileHandle | null = null;
  #position: number | null = null;

  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  async open(): Promise<number> {
    if (this.#handle !== null && !(await this.#isInPlace(this.#handle))) await this.close();
    this.#handle ??= await open(this.#file, 'a+', 0o600);
    this.#position ??= (await findLast(this.#handle)) ?? (await this.#readPosition());
    return this.#position;
  }

  async write(lines: string, last: number): Promise<void> {
    const handle = this.#handle!;
    try {
      await handle.appendFile(lines);
      await handle.datasync();
    } catch (error) {
      // The file itself has the position: read it again.
      this.#position = null;
      throw error;
    }
    this.#position = last;
    await writeFile(`${this.#file}.position.new`, `${last}\n`, { mode: 0o600 });
    await rename(`${this.#file}.position.new`, `${this.#file}.position`);
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = null;
  }

  async #isInPlace(handle: FileHandle): Promise<boolean> {
    const found = await stat(this.#file).catch(() => null);
    const { dev, ino } = await handle.stat();
    return found !== null && found.dev === dev && found.ino === ino;
  }

  /** The position of the previous file, for a file that is new and empty. */
  async #readPosition(): Promise<number> {
    const text = await readFile(`${this.#file}.position`, 'utf8').catch(() => '0');
    return Number.parseInt(text, 10) || 0;
  }
}

const tailBytes = 1024 * 1024;

/** The number of the last complete line; cuts off half a line that a crash left. null: no line. */
async function findLast(handle: FileHandle): Promise<number | null> {
  const { size } = await handle.stat();
  const start = Math.max(0, size - tailBytes);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
  const tail = buffer.subarray(0, bytesRead);
  const end = tail.lastIndexOf('\n') + 1;
  if (start + end < size) await handle.truncate(start + end);
  const line = tail.subarray(0, end).toString().trimEnd().split('\n').at(-1) ?? '';
  return line === '' ? null : (JSON.parse(line) as { seq: number }).seq;
}
