/** Records the starts and stops of the server in the audit trail, with its settings. */
import { hostname } from 'node:os';
import { readVersion } from '../config/environment.js';
import type { Logger } from '../config/logger.js';
import { describeSource } from '../config/secretsource.js';
import { type Settings, settingsSchema } from '../config/settings.js';
import { recordAudit } from '../db/control/audit.js';
import type { Workplace } from '../operations/workplace.js';

/** Records the start; the function that comes back records the stop, and never throws. */
export async function recordStartAndStop(
  { control, settings, now }: Workplace,
  logger: Logger,
): Promise<() => Promise<void>> {
  const { role } = settings;
  const record = (action: string, detail: Record<string, unknown>): Promise<void> =>
    recordAudit(control.write, { at: now(), org: null, actor: 'system', action, subject: hostname(), detail });
  await record('server.started', { version: readVersion(), role, settings: describeSettings(settings) });
  return async () => {
    await record('server.stopped', { role }).catch((error: Error) => {
      logger.error('could not record the stop in the audit trail; the server stops without it', {
        reason: error.message,
      });
    });
  };
}

/** Settings that differ from their default. The URL of a database and the arguments of a program may contain secrets. */
function describeSettings(settings: Settings): Record<string, unknown> {
  const defaults: Record<string, unknown> = settingsSchema.parse({});
  const chosen = Object.entries(settings).filter(([name, value]) => !isSame(value, defaults[name]));
  return Object.fromEntries(chosen.map(([name, value]) => [name, hide(name, value)]));
}

function hide(name: string, value: unknown): unknown {
  if (name === 'database') return 'postgres';
  return name === 'masterKey' ? describeSource(String(value)) : value;
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
