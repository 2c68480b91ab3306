/** The importer's own process: keeps decoding, planning and applying off the server's event loop. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { createLogger } from '../config/logger.js';
import { pathsOf } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import { openControl, openDirectory } from '../db/connection.js';
import { type RunningImporter, startImporter } from '../importer/importer.js';
import type { RunDeps } from '../importer/run/deps.js';
import { createMasterSecrets, type KnownSecrets } from '../keys/master/secrets.js';
import type { ParentMessage } from './importerprocess.js';
import { composeKeyring } from './sessionplace.js';

type OnStep = RunDeps['onStep'];

/** Imports from the parent's `start` until its `stop`. `onStep`: for tests. */
export function followParent(onStep?: OnStep): void {
  // A server that was killed can't say stop. What this process had not committed is then rolled back and done again.
  process.on('disconnect', () => process.exit(1));
  // A terminal's Ctrl-C and a supervisor's SIGTERM reach the whole group: the server leads, and says when to stop.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  let stop = async () => {};
  process.on('message', async (message: ParentMessage) => {
    if (message.type === 'start') {
      stop = begin(message.settings, message.secrets, onStep);
      return;
    }
    await stop();
    process.exit(0);
  });
}

/** Gives what ends it. */
function begin(settings: Settings, secrets: KnownSecrets, onStep: OnStep): () => Promise<void> {
  const logger = createLogger(settings).child({ part: 'importer' });
  const die = (cause: unknown) => {
    logger.error('the importer failed', { reason: (cause as Error).message, stack: (cause as Error).stack });
    process.exit(1);
  };
  process.on('uncaughtException', die);
  const running = run(settings, secrets, logger, onStep);
  running.catch(die);
  return async () => (await running)();
}

/** Gives what ends it. */
async function run(
  settings: Settings,
  known: KnownSecrets,
  logger: ReturnType<typeof createLogger>,
  onStep: OnStep,
): Promise<() => Promise<void>> {
  const paths = pathsOf(settings);
  const control = await openControl(settings);
  const { master, open: identity } = composeKeyring(settings, paths, createMasterSecrets(paths, { known }), control);
  await master(); // without it every run would fail: the process ends at once, and says why
  const directory = await openDirectory(settings);
  const owner = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
  const deps = {
    settings,
    paths,
    control,
    directory,
    logger,
    identity,
    now: Date.now,
    owner,
    ...(onStep && { onStep }),
  };
  const importer: RunningImporter = await startImporter(deps);
  return async () => {
    await importer.stop();
    await directory.close();
    await control.close();
  };
}
