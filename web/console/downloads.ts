/** Bounds the downloads of the console: few of one account at a time, and fewer than the process can make. */
import { OperationError } from '../../operations/error.js';
import { holding, type Shares, takeShare } from '../../operations/places.js';
import type { Call, ConsoleRoute, Outcome } from './route.js';
import { texts } from './texts/texts.js';

/** Each reads a directory, the audit trail or a stored file for as long as its reader takes. */
const shares: Shares = { most: 20, mostOfOrg: 4 };

/** Whether the route answers with a file: a HEAD of it would be recorded as a download. */
export function isDownload({ method, path }: ConsoleRoute): boolean {
  return method === 'GET' && /(\.\w+|\/download)$/.test(path);
}

/** The outcome, whose content holds its place until it was read. @throws OperationError `unavailable` */
export async function download(call: Call, make: () => Promise<Outcome>): Promise<Outcome> {
  const leave = takeShare(call.busy, 'download', call.account.id, shares);
  if (leave === null) throw new OperationError('unavailable', texts.errors.manyDownloads);
  try {
    const outcome = await make();
    if ('content' in outcome) return { ...outcome, content: holding(outcome.content, leave) };
    leave();
    return outcome;
  } catch (error) {
    leave();
    throw error;
  }
}
