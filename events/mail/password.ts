/** Reads the password of the mail server from its source: a file or a credential. */
import { findSecret, readSecret, toSecretText } from '../../config/secretsource.js';
import type { Settings } from '../../config/settings.js';

/** null: the setting names no source. @throws Error that names the source, never its content */
export async function readMailPassword({
  smtpPassword: source,
  credentials,
}: Pick<Settings, 'smtpPassword' | 'credentials'>): Promise<string | null> {
  if (source === undefined) return null;
  const bytes = await readSecret(findSecret(source, credentials)).catch((cause: Error) => {
    throw new Error(`the password of the mail server (smtpPassword): ${cause.message}`, { cause });
  });
  if (bytes === null) throw new Error(`the password of the mail server (smtpPassword): there is no file ${source}`);
  return toSecretText(bytes);
}
