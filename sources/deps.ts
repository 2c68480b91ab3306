/** The connections, settings and clock that a round of a source works with. */
import type { Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import type { Db } from '../db/connection.js';
import type { Source } from '../db/control/sources.js';
import type { IntakeService } from '../intake/intake.js';
import type { Place } from './place.js';

/** The steps between which a crash can interrupt a round. */
export type RoundStep = 'connected' | 'listed' | 'opened' | 'read' | 'sealed' | 'taken' | 'finished';

export interface RoundDeps {
  control: Db;
  intake: IntakeService;
  settings: Settings;
  logger: Logger;
  now: () => number;
  /** The holder of the source's lease. */
  owner: string;
  leaseMs: number;
  openPlace(source: Source): Promise<Place>;
  /** Ends the round: the process stops, the lease was lost, or the time is over. */
  signal: AbortSignal;
  /** For tests. */
  onStep?: (step: RoundStep) => void | Promise<void>;
}
