/** One difference between the file of `dropslot apply` and the state, with the operation that removes it. */
import { OperationError } from '../error.js';

export interface Change {
  /** null: of the server. */
  org: string | null;
  sign: '+' | '~' | '-';
  /** In words, without the organization. */
  text: string;
  /** Makes it; a sentence that the operator must read, such as a secret; null: none. */
  act(): Promise<string | null>;
}

/** As the command line and the API show it. */
export function changeToJson({ org, sign, text }: Change) {
  return { org, kind: ({ '+': 'add', '~': 'change', '-': 'remove' } as const)[sign], text };
}

/** Names the place of a mistake in the file. */
export async function at<T>(where: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const { message } = cause as Error;
    throw cause instanceof OperationError || (cause as Error).name === 'KeyError'
      ? new OperationError(cause instanceof OperationError ? cause.code : 'usage', `${where}: ${message}`, { cause })
      : cause;
  }
}
