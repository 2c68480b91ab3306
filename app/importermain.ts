/** A process of the importer: works from the server's `start` message until its `stop`, off the server's event loop. */
import { readVersion } from '../config/environment.js';
import { createServerLogger, type Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import type { Outcome } from '../events/deliverer.js';
import type { HookSource } from '../importer/hooks/load.js';
import { startImporter } from '../importer/importer.js';
import type { RunDeps } from '../importer/run/deps.js';
import { startScheduler } from '../importer/scheduler.js';
import type { KnownSecrets } from '../keys/master/secrets.js';
import { startBackupSchedule } from './backupschedule.js';
import { composeImporter } from './compose.js';
import { forwardAudit } from './counting.js';
import { dieOfDefects } from './defects.js';
import { startDoors } from './doors.js';
import { startEventDeliveries } from './eventdeliveries.js';
import { createRemoteHooks, type RemoteHooks } from './hookcalls.js';
import { beatMs, type ChildMessage, type ChildState, type Role, type ServerMessage } from './importermessages.js';
import { followParentEvenHung, tellParent } from './parent.js';
import { startTraces } from './traces.js';

type OnStep = RunDeps['onStep'];

interface Running {
  nudge(): void;
  stop(): Promise<void>;
}

/** Obeys the messages of the server, which forked this process. @param onStep for tests */
export function obeyServer(onStep?: OnStep): void {
  // If the server is killed, the database rolls back uncommitted work, and the next start does it again.
  followParentEvenHung();
  let running: Promise<Running> | null = null;
  let remote: RemoteHooks | null = null;
  process.on('message', async (message: ServerMessage) => {
    if (message.type === 'start') {
      remote = message.hooks === undefined ? null : createRemoteHooks(message.hooks, message.settings, tell);
      running = begin(message, remote, onStep);
    } else if (message.type === 'nudge') void running?.then(({ nudge }) => nudge());
    else if (message.type === 'hooked') remote?.onAnswer(message);
    else {
      await (await running)?.stop();
      process.exit(0);
    }
  });
}

/** Ends the process when it can't start. */
function begin(
  { role, settings, secrets }: ServerMessage & { type: 'start' },
  remote: RemoteHooks | null,
  onStep: OnStep,
): Promise<Running> {
  const logger = createServerLogger(settings, false).child({ part: role.name });
  const die = dieOfDefects(logger, 'a process of the importer failed and exits; the server starts it again');
  const running = run(role, settings, { secrets, hooks: remote?.source }, logger, onStep);
  running.catch(die);
  return running;
}

async function run(
  role: Role,
  settings: Settings,
  { secrets, hooks }: { secrets: KnownSecrets; hooks: HookSource | undefined },
  logger: Logger,
  onStep: OnStep,
): Promise<Running> {
  const pulse = startPulse();
  const traces = startTraces(settings, { part: role.name, version: readVersion(), logger });
  const { deps, close, loadMaster } = await composeImporter(settings, secrets, logger, hooks);
  const isCounted = settings.monitor !== undefined;
  if (isCounted) forwardAudit(deps.control, tell);
  const onAttempt = (kind: string, result: Outcome['result']) => isCounted && tell({ type: 'delivery', kind, result });
  const deliveries = role.name === 'scheduler' ? await startEventDeliveries(deps, loadMaster, onAttempt) : null;
  const doors = role.name === 'scheduler' ? startDoors(deps, loadMaster) : null;
  const backups = role.name === 'scheduler' ? startBackupSchedule({ ...deps, secrets }) : null;
  const part: Running =
    role.name === 'scheduler'
      ? { nudge: () => {}, ...(await startScheduler({ ...deps, onOpen: () => tell({ type: 'opened' }) })) }
      : startImporter({
          ...deps,
          owner: role.owner,
          ...(role.mostBytes !== null && { mostBytes: role.mostBytes }),
          onWork: (work) => pulse.change({ work }),
          onFile: (upload) => pulse.change({ upload }),
          ...(isCounted && { onApplied: (counts) => tell({ type: 'applied', counts }) }),
          ...(onStep && { onStep }),
        });
  return {
    nudge: part.nudge,
    stop: async () => {
      await Promise.all([part.stop(), deliveries?.stop(), doors?.stop(), backups?.stop()]);
      await close();
      await traces.stop();
    },
  };
}

/** Tells the server each second that this process answers, and at once when it begins to read another file. */
function startPulse(): { change(change: Partial<ChildState>): void } {
  let state: ChildState = { work: null, upload: null, memoryBytes: process.memoryUsage.rss() };
  const beat = () => tell({ type: 'alive', state });
  setInterval(() => {
    state = { ...state, memoryBytes: process.memoryUsage.rss() };
    beat();
  }, beatMs).unref();
  beat();
  return {
    change: (change) => {
      const next = { ...state, ...change };
      if (next.work === state.work && next.upload === state.upload) return;
      state = next;
      beat();
    },
  };
}

const tell = tellParent<ChildMessage>;
