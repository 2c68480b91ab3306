/** What the reports of a check are called: by the path of the file, so that a newer version's take the place of the older one's. */
import { createHash } from 'node:crypto';
import { fitName } from '../../db/control/entries.js';

/** Of `.dry-run.rejected.csv`, with room for longer ones. */
const endingBytes = 30;

/**
 * The names of the reports by their endings: `/hr/users.csv` has `hr--users.check.txt`. Two paths never share one: a path
 * whose readable name could be another one's has eight digits of its hash in it.
 * @param parts of the path, the file's name last.
 */
export function nameReports(parts: readonly string[], mark: 'check' | 'dry-run'): (ending: string) => string {
  const stem = parts.join('--').replace(/\.csv$/, '');
  const digits = isPlain(parts) ? '' : `-${createHash('sha256').update(parts.join('/')).digest('hex').slice(0, 8)}`;
  return (ending) => fitName(stem, `${digits}.${mark}.${ending}`);
}

/** Whether the path can be told from its readable name. */
function isPlain(parts: readonly string[]): boolean {
  const name = parts.at(-1)!;
  if (!/\.csv$/i.test(name) || /\.csv\.csv$/i.test(name)) return false;
  if (Buffer.byteLength(parts.join('--')) + endingBytes > 255) return false;
  const stems = [...parts.slice(0, -1), name.replace(/\.csv$/, '')];
  return stems.every((part) => !part.includes('--') && (stems.length === 1 || !/^-|-$/.test(part)));
}
