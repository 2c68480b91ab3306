/** The connections, settings and clock that a run works with. */
import type { Logger } from '../../config/logger.js';
import type { Paths } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import type { Org } from '../../db/control/orgs.js';
import type { StorePaths } from '../../storage/blobstore.js';
import type { HookSource } from '../hooks/load.js';
import type { ReadMeter } from '../read/meter.js';
import type { AppliedCounts } from './appliedcounts.js';

export interface RunDeps {
  settings: Settings;
  paths: Paths & StorePaths;
  control: Db;
  directory: Db;
  logger: Logger;
  /** The organization's age identities as they are now, one a line. @throws KeyError */
  identity: (org: Org) => Promise<string>;
  now: () => number;
  /** The import hooks; absent: those of the setting importHooks. */
  hooks?: HookSource;
  /** Gets the numbers of each run that was applied and settled. */
  onApplied?: (counts: AppliedCounts) => void;
  /** Measures how much of a file has been read; absent: it is not measured. */
  meter?: ReadMeter;
  /** Gets the upload that is read now; null: none is. */
  onFile?: (uploadId: number | null) => void;
  /** Called after each step that a crash can separate from the next: for tests that kill the process there. */
  onStep?: (step: RunStep) => void | Promise<void>;
}

export type RunStep = 'claimed' | 'planned' | 'reported' | 'applied' | 'settled';
