/**
 * The audit trail as JSON lines, for a log collector. It follows the database, so that a line tells only of what was
 * committed; and it goes on where it was, so that every record has its line.
 */
import { type FileHandle, open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import type { Logger } from '../config/logger.js';
import type { Db } from '../db/connection.js';
import { readHead, readRecords } from '../db/control/audit.js';
import { formatRecord } from '../operations/audit.js';

export interface AuditLogDeps {
  control: Db;
  /** Where the lines go: a file, or `log`. */
  target: string;
  logger: Logger;
  /** How often it looks for new records. */
  everyMs?: number;
}

export interface AuditLog {
  /** Looks at once: after the file was moved away, too. */
  wake(): void;
  /** Writes what is left, and ends. */
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
        if (hasFailed) logger.info('the audit log is written again', { target });
        hasFailed = false;
      } catch (error) {
        const reason = (error as Error).message;
        if (!hasFailed) logger.error('the audit log is not written; it is tried again', { target, reason });
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
    logger.error('the audit log is ahead of the database: was an older backup restored?', {
      logged: position,
      recorded: head.count,
    });
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
  /** Makes ready to write; the last record that was written. `recorded`: how many there are. */
  open(recorded: number): Promise<number>;
  /** Durable once it resolves. */
  write(lines: string, last: number): Promise<void>;
  close(): Promise<void>;
}

/** From the server's start on: what came before is in the log of then. */
class LogSink implements Sink {
  #position: number | null = null;

  constructor(private readonly logger: Logger) {}

  async open(recorded: number): Promise<number> {
    this.#position ??= recorded;
    return this.#position;
  }

  async write(lines: string, last: number): Promise<void> {
    for (const line of lines.split('\n').slice(0, -1)) this.logger.info('audit', { record: JSON.parse(line) });
    this.#position = last;
  }

  async close(): Promise<void> {}
}

/** Appends; a file that was moved away is followed by a new one of its name. */
class FileSink implements Sink {
  #handle: FileHandle | null = null;
  #position: number | null = null;

  constructor(private readonly file: string) {}

  async open(): Promise<number> {
    if (this.#handle !== null && !(await this.#isInPlace(this.#handle))) await this.close();
    this.#handle ??= await open(this.file, 'a+', 0o600);
    this.#position ??= (await findLast(this.#handle)) ?? (await this.#readPosition());
    return this.#position;
  }

  async write(lines: string, last: number): Promise<void> {
    const handle = this.#handle!;
    try {
      await handle.appendFile(lines);
      await handle.datasync();
    } catch (error) {
      // How much of it is there, the file itself says.
      this.#position = null;
      throw error;
    }
    this.#position = last;
    await writeFile(`${this.file}.position.new`, `${last}\n`, { mode: 0o600 });
    await rename(`${this.file}.position.new`, `${this.file}.position`);
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = null;
  }

  async #isInPlace(handle: FileHandle): Promise<boolean> {
    const there = await stat(this.file).catch(() => null);
    const { dev, ino } = await handle.stat();
    return there !== null && there.dev === dev && there.ino === ino;
  }

  /** Says what the last file had when the one that is there is new and empty. */
  async #readPosition(): Promise<number> {
    const text = await readFile(`${this.file}.position`, 'utf8').catch(() => '0');
    return Number.parseInt(text, 10) || 0;
  }
}

const tailBytes = 1024 * 1024;

/** The number of the last whole line, behind which a crash's half line is cut off. null: no line. */
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
