/** Starts and stops the timed work: slots, runs for new uploads, deactivations, alarms, templates and retention. */
import { removeCheckedDryRuns } from './check/dryrunfiles.js';
import { startStoredNames } from './check/storednames.js';
import { createOutage } from './outage.js';
import type { RunDeps } from './run/deps.js';
import { sweepStages } from './run/stages.js';
import { createClock } from './schedule/clock.js';
import { startConditions } from './schedule/conditions.js';
import { startDeactivations } from './schedule/deactivations.js';
import { startEventRetention } from './schedule/eventretention.js';
import { startSilence } from './schedule/expectations.js';
import { startRounds } from './schedule/periodic.js';
import { startReports } from './schedule/reports.js';
import { startRetention } from './schedule/retention.js';
import { openUploadRuns, startSlots } from './schedule/slots.js';
import { startTemplates } from './schedule/templatefolder.js';

export interface SchedulerDeps extends RunDeps {
  /** Called when a run was opened. */
  onOpen: () => void;
}

/** How often it looks for new uploads of organizations that import on upload. */
const lookEveryMs = 1_000;
/** How often it removes files of dry runs whose time is over. */
const sweepEveryMs = 60_000;

/** Opens runs for the importers to work on. */
export async function startScheduler(deps: SchedulerDeps): Promise<{ stop(): Promise<void> }> {
  const { control, directory, paths, settings, logger, now, onOpen } = deps;
  const repeat = (operation: string, everyMs: number, work: () => Promise<unknown>) => {
    const outage = createOutage(operation, logger);
    return startRounds(async () => {
      try {
        await work();
        outage.end();
        return everyMs;
      } catch (error) {
        return Math.max(everyMs, outage.begin(error as Error));
      }
    });
  };
  const swept = await sweepStages(deps);
  if (swept.length > 0)
    logger.info('removed the stages of runs and checks that were interrupted', { stages: swept.length });
  const clock = createClock({ control, logger, now });
  const slots = await startSlots({
    ...{ control, logger, now, onOpen, clock },
    jitterMinutes: settings.slotJitterMinutes,
  });
  const timed = [
    slots,
    repeat('open runs for new uploads', lookEveryMs, () => openUploadRuns({ control, logger, now, onOpen })),
    repeat('remove checked files below /dry-run', sweepEveryMs, () => removeCheckedDryRuns(deps)),
    startDeactivations({ ...deps, clock }),
    startSilence({ control, logger, now, clock }),
    startConditions({ control, settings, logger, now, clock }),
    startReports({ control, settings, logger, now, clock }),
    startEventRetention({ control, directory, settings, logger, now, clock }),
    startTemplates({ control, directory, paths, settings, logger, now }),
    startStoredNames({ control, paths, settings, logger, now }),
    startRetention({ control, directory, paths, settings, logger, now, clock }),
  ];
  return {
    stop: async () => {
      await Promise.all(timed.map(({ stop }) => stop()));
    },
  };
}
