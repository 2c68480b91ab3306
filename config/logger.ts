/** The logger: readable text on a terminal, JSON lines otherwise. Messages never quote cell values or secrets. */
import type { Writable } from 'node:stream';
import winston from 'winston';
import type { Settings } from './settings.js';

export type Logger = winston.Logger;

/**
 * Everything goes to standard error, so that standard output stays for what commands print; or, where standard error
 * is seen by others, to `target`.
 */
export function createLogger(settings: Pick<Settings, 'logLevel' | 'logFormat'>, target?: Writable): Logger {
  const onTerminal = target === undefined && process.stderr.isTTY === true;
  const asText = settings.logFormat === 'text' || (settings.logFormat === 'auto' && onTerminal);
  const { combine, timestamp, json, errors, printf } = winston.format;
  return winston.createLogger({
    level: settings.logLevel,
    format: asText ? combine(timestamp(), printf(asLine)) : combine(errors({ stack: true }), timestamp(), json()),
    transports: [
      target === undefined
        ? new winston.transports.Console({ stderrLevels: Object.keys(winston.config.npm.levels) })
        : new winston.transports.Stream({ stream: target }),
    ],
  });
}

/** Swallows everything: for commands that print their own results, and for tests. */
export function createSilentLogger(): Logger {
  return winston.createLogger({ silent: true, transports: [new winston.transports.Console()] });
}

function asLine(info: winston.Logform.TransformableInfo): string {
  const { level, message, timestamp, ...rest } = info;
  const time = String(timestamp).slice(11, 19);
  const details = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${name === 'stack' ? indent(String(value)) : toVisible(value)}`)
    .join(' ');
  return `${time} ${level.padEnd(5)} ${String(message)}${details === '' ? '' : `  ${details}`}`;
}

/** Names of files and words of clients are in it: they must neither begin a line of their own nor steer a terminal. */
function toVisible(value: unknown): string {
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text.replace(
    /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A stack has lines of its own, and begins with the message. */
function indent(stack: string): string {
  return stack.split('\n').map(toVisible).join('\n    ');
}
