/** Temporary folders that are gone when the test is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Registers clean-up: a test's context, or `{ after }` of node:test for a whole file. */
export interface Scope {
  after(cleanup: () => void | Promise<void>): void;
}

export function temporaryFolder(scope: Scope, parent = process.env.TEST_FOLDER ?? tmpdir()): string {
  const folder = mkdtempSync(join(parent, 'dropslot-test-'));
  scope.after(() => {
    try {
      remove(folder);
    } catch {
      // A server that writes into it is stopped by a clean-up that was registered later.
      if (left.length === 0) process.once('exit', () => left.forEach(remove));
      left.push(folder);
    }
  });
  return folder;
}

const left: string[] = [];

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 2 });
}

/** A scope that its owner closes. As node:test does it, what was registered first is cleaned up first. */
export function openScope(): Scope & { close(): Promise<void> } {
  const cleanups: (() => void | Promise<void>)[] = [];
  return {
    after: (cleanup) => void cleanups.push(cleanup),
    async close() {
      for (const cleanup of cleanups.splice(0)) await cleanup();
    },
  };
}
