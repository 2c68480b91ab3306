/** The logger, and the system's log as a place for its lines. Messages never quote cell values or secrets. */
import { type ChildProcess, spawn } from 'node:child_process';
import { EOL } from 'node:os';
import { Writable } from 'node:stream';
import winston from 'winston';
import { SettingsError } from './load.js';
import { openLogFile } from './logfile.js';
import type { Settings } from './settings.js';

export type Logger = winston.Logger;

/**
 * Makes a logger that writes readable text on a terminal, and JSON lines otherwise. It writes to standard error, since
 * standard output is for the results of commands; or to `target`, where others can read standard error.
 */
export function createLogger(settings: Pick<Settings, 'logLevel' | 'logFormat'>, target?: Writable): Logger {
  const onTerminal = target === undefined && process.stderr.isTTY === true;
  const asText = settings.logFormat === 'text' || (settings.logFormat === 'auto' && onTerminal);
  const { combine, timestamp, errors, printf } = winston.format;
  const logger = winston.createLogger({
    level: settings.logLevel,
    format: asText
      ? combine(timestamp(), printf(asLine))
      : combine(errors({ stack: true }), timestamp(), printf(asJson)),
    transports: [
      target === undefined
        ? new winston.transports.Console({ stderrLevels: Object.keys(winston.config.npm.levels) })
        : new winston.transports.Stream({ stream: target }),
    ],
  });
  return writeDirectly(logger, (line) => void (target ?? process.stderr).write(line));
}

/** Under these names winston keeps the level and the text of a line. */
const levelOf = Symbol.for('level');
const textOf = Symbol.for('message');

type Line = winston.Logform.TransformableInfo;

/**
 * winston passes each line through two streams and a timer on its way from the format to the target, which takes longer than to make
 * it, also where its level is not logged. Here it makes no such way.
 */
function writeDirectly(logger: Logger, write: (line: string) => void): Logger {
  const format = logger.format as winston.Logform.Format;
  const pass = (info: Line): boolean => {
    const level = logger.levels[info[levelOf] as string] ?? 0;
    if (level > (logger.levels[logger.level] ?? 0)) return true;
    const line = format.transform(info, format.options);
    if (typeof line === 'object') write(`${line[textOf]}${EOL}`);
    return true;
  };
  // Loggers that are made of this one call it, too.
  return Object.assign(logger, { write: pass });
}

type LogSettings = Pick<Settings, 'logLevel' | 'logFormat' | 'logFile' | 'logFileBytes' | 'logFiles'>;

/**
 * The logger of a process of the server: to `logFile` where it is set, which one process rotates and all append to.
 * @throws SettingsError when the file can't be opened
 */
export function createServerLogger(settings: LogSettings, rotates: boolean): Logger {
  const { logFile: file, logFileBytes, logFiles: kept } = settings;
  if (file === undefined) return createLogger(settings);
  const mostBytes = rotates && logFileBytes > 0 ? logFileBytes : null;
  const target = openLog(file, mostBytes, kept);
  // A rotation by another program may send it; without it the move is noticed within a second.
  process.on('SIGHUP', target.reopen);
  return createLogger(settings, target);
}

const openFailures: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is a file',
  EACCES: 'this user may not write there',
  EISDIR: 'it is a folder',
  EROFS: 'the disk is read-only',
};

function openLog(file: string, mostBytes: number | null, kept: number) {
  try {
    return openLogFile({ file, mostBytes, kept, fallback: (text) => void process.stderr.write(text) });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = openFailures[code ?? ''] ?? message;
    throw new SettingsError(
      `logFile: can't write ${file} (${why}): name a file in a folder that this user may write to`,
    );
  }
}

/** A logger that writes nothing: for commands that print their own results, and for tests. */
export function createSilentLogger(): Logger {
  return winston.createLogger({ silent: true, transports: [new winston.transports.Console()] });
}

/** Time, level and message first and the rest by the alphabet, for whoever reads the lines without a program. */
function asJson({ timestamp, level, message, ...rest }: winston.Logform.TransformableInfo): string {
  const details = Object.fromEntries(Object.entries(rest).sort(([one], [other]) => (one < other ? -1 : 1)));
  return escapeUnseen(JSON.stringify({ timestamp, level, message, ...details }));
}

function asLine(info: winston.Logform.TransformableInfo): string {
  const { level, message, timestamp, ...rest } = info;
  const time = String(timestamp).slice(11, 19);
  const details = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${name === 'stack' ? indent(String(value)) : toVisible(value)}`)
    .join(' ');
  return `${time} ${level.padEnd(5)} ${escapeUnseen(String(message))}${details === '' ? '' : `  ${details}`}`;
}

/** Values contain file names and texts of clients: these must neither begin a new line nor control a terminal. */
function toVisible(value: unknown): string {
  const text = typeof value === 'object' ? JSON.stringify(value) : quoteWords(String(value));
  return escapeUnseen(text);
}

/** A value of several words is in quotes, so that it can't pass for another value. */
function quoteWords(text: string): string {
  return /^[^\s"=]*$/u.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`;
}

/** Also those of a JSON line that JSON does not escape; its value stays the same. */
function escapeUnseen(text: string): string {
  return text.replace(
    /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The lines of a stack trace, indented. */
function indent(stack: string): string {
  return stack.split('\n').map(escapeUnseen).join('\n    ');
}

/**
 * A stream of lines into the system's log, through the program `logger` that every Unix has; the first line starts it.
 * Where that program is missing, `onMissing` is called once, and the lines are dropped.
 */
export function openSyslog(tag: string, onMissing: (reason: string) => void): Writable {
  let child: ChildProcess | null = null;
  const start = (): ChildProcess => {
    const started = spawn('logger', ['-t', tag, '-p', 'daemon.info'], { stdio: ['pipe', 'ignore', 'ignore'] });
    started.once('error', (cause) => onMissing(cause.message));
    started.stdin.on('error', () => {}); // reported already: its process failed
    return started;
  };
  return new Writable({
    decodeStrings: false,
    write(line: string | Buffer, _encoding, done) {
      child ??= start();
      // Lines that `logger` is slow to take must not delay a session.
      child.stdin!.write(line);
      done();
    },
    final(done) {
      if (child === null || child.exitCode !== null) done();
      else child.once('close', () => done()).stdin!.end();
    },
  });
}
