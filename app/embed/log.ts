/** Passes the log of Dropslot, and the lines of its processes, to the logger of the program that embeds it. */
import { Writable } from 'node:stream';
import { createLogger, createSilentLogger, type Logger } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import type { DropslotLogger } from './api.d.ts';

export interface HostLog {
  logger: Logger;
  /** A line that a process of Dropslot wrote: of its log, or of a hook of the operator's file. */
  onOutput(line: string): void;
}

/** @param target undefined: nothing is logged */
export function createHostLog(settings: Pick<Settings, 'logLevel'>, target: DropslotLogger | undefined): HostLog {
  if (target === undefined) return { logger: createSilentLogger(), onOutput: () => {} };
  const onOutput = (line: string) => pass(target, line);
  const lines = new Writable({
    decodeStrings: false,
    write(line: string | Buffer, _encoding, done) {
      onOutput(String(line).trimEnd());
      done();
    },
  });
  return { logger: createLogger({ ...settings, logFormat: 'json' }, lines), onOutput };
}

const levels = ['error', 'warn', 'info', 'debug'] as const;

/** An error of the logger must not end the work that it is told of. */
function pass(target: DropslotLogger, line: string): void {
  const { level, message, details } = read(line);
  try {
    target[level]?.(message, details);
  } catch {
    // It is the program's own, and there is no other place to tell.
  }
}

function read(line: string): { level: (typeof levels)[number]; message: string; details: Record<string, unknown> } {
  try {
    const { timestamp: _at, level, message, ...details } = JSON.parse(line) as Record<string, unknown>;
    const known = levels.find((one) => one === level);
    if (known !== undefined && typeof message === 'string') return { level: known, message, details };
  } catch {
    // No line of the log.
  }
  return { level: 'info', message: 'a process of Dropslot wrote a line', details: { line } };
}
