/** Tells a client that cannot log in why, before the answer to its request: at most one hint of each kind on a connection. */
import type { Connection as Client } from 'ssh2';
import { keysOnly, tooManyFailures } from './farewell.js';
import { sendBanner } from './ssh2fixes.js';

export interface Hints {
  /** For a request by another method than a key; `offered`: the methods that are offered to all clients. */
  tellMethods(method: string, offered: readonly string[]): void;
  /** For a login that is not checked for the next `waitMs`. */
  tellWait(waitMs: number): void;
}

interface HintOptions {
  /** Where customers get help; undefined: the hints name no one. */
  contact: string | undefined;
  /** No login came from the client's address lately. */
  isStranger: boolean;
}

export function createHints(client: Client, { contact, isStranger }: HintOptions): Hints {
  const told = new Set<'methods' | 'wait'>();
  return {
    tellMethods(method, offered) {
      if (told.has('methods') || offered.includes('password')) return;
      // Most clients ask for `none` first. One without a key leaves then, so that a stranger must hear it now; clients
      // that log in regularly, whose output becomes a mail, are not told.
      if (method === 'none' && !isStranger) return;
      told.add('methods');
      sendBanner(client, keysOnly(contact));
    },
    tellWait(waitMs) {
      if (told.has('wait')) return;
      told.add('wait');
      sendBanner(client, tooManyFailures(waitMs, contact));
    },
  };
}
