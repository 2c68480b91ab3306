/** Reads the password of the mail server from its source: a file, an open file descriptor or a credential. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../../config/settings.js';

/** null: the setting names no source. @throws Error that names the source, never its content */
export function readMailPassword({
  smtpPassword: source,
  credentials,
}: Pick<Settings, 'smtpPassword' | 'credentials'>): string | null {
  if (source === undefined) return null;
  const credential = /^credential:(.+)$/.exec(source)?.[1];
  const descriptor = /^fd:(\d+)$/.exec(source)?.[1];
  if (credential !== undefined && credentials === undefined)
    throw new Error(`smtpPassword is ${source}, but there is no folder of credentials`);
  try {
    const file = credential === undefined ? source : join(credentials!, credential);
    return readFileSync(descriptor === undefined ? file : Number(descriptor), 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(`the password of the mail server (smtpPassword) can't be read from ${source}: ${code}`, { cause });
  }
}
