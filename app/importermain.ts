/** The importer's process: imports from the server's `start` message until its `stop`, off the server's event loop. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { createLogger, type Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import { type RunningImporter, startImporter } from '../importer/importer.js';
import type { RunDeps } from '../importer/run/deps.js';
import type { KnownSecrets } from '../keys/master/secrets.js';
import { composeImporter } from './compose.js';
import type { ServerMessage } from './importersupervisor.js';

type OnStep = RunDeps['onStep'];

/** Obeys the messages of the server, which forked this process. @param onStep for tests */
export function obeyServer(onStep?: OnStep): void {
  // A killed server sends no stop. The database rolls back uncommitted work, and the next start does it again.
  process.on('disconnect', () => process.exit(1));
  // A terminal's Ctrl-C and a service manager's SIGTERM reach the whole group: this process stops when the server says so.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  let stop = async () => {};
  process.on('message', async (message: ServerMessage) => {
    if (message.type === 'start') {
      stop = begin(message.settings, message.secrets, onStep);
      return;
    }
    await stop();
    process.exit(0);
  });
}

/** @returns a function that stops the importer at a safe point */
function begin(settings: Settings, secrets: KnownSecrets, onStep: OnStep): () => Promise<void> {
  const logger = createLogger(settings).child({ part: 'importer' });
  const die = (cause: unknown) => {
    logger.error('the importer process failed and exits; the server starts it again', {
      reason: (cause as Error).message,
      stack: (cause as Error).stack,
    });
    process.exit(1);
  };
  process.on('uncaughtException', die);
  const running = run(settings, secrets, logger, onStep);
  running.catch(die);
  return async () => (await running)();
}

/** @returns a function that stops the importer at a safe point */
async function run(
  settings: Settings,
  known: KnownSecrets,
  logger: Logger,
  onStep: OnStep,
): Promise<() => Promise<void>> {
  const { deps, close } = await composeImporter(settings, known, logger);
  const owner = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
  const importer: RunningImporter = await startImporter({ ...deps, owner, ...(onStep && { onStep }) });
  return async () => {
    await importer.stop();
    await close();
  };
}
