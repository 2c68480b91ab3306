/** Bounds the downloads of the console: few of one account and of one organization at a time, and fewer than the process can make. */
import { holding, takeDownload } from '../../operations/places.js';
import type { Call, ConsoleRoute, Outcome } from './route.js';

/** Whether the route answers with a file: a HEAD of it would be recorded as a download. */
export function isDownload({ method, path }: ConsoleRoute): boolean {
  return method === 'GET' && /(\.\w+|\/download)$/.test(path);
}

/** The outcome, whose content holds its place until it was read. @throws OperationError `unavailable` */
export async function download(call: Call, make: () => Promise<Outcome>): Promise<Outcome> {
  const { id: account, org } = call.account;
  const leave = takeDownload(call.busy, { org, account });
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
