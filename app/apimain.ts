/** The process of the HTTP API: answers from the server's `start` message until its `stop`, off the event loop of SFTP. */
import { readVersion } from '../config/environment.js';
import { createLogger, type Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import type { KnownSecrets } from '../keys/master/secrets.js';
import { createApi } from '../web/api/api.js';
import { endpointOf, listen } from '../web/api/listen.js';
import { openWorkplace } from './compose.js';

export type ApiMessage = { type: 'start'; settings: Settings; secrets: KnownSecrets } | { type: 'stop' };

const graceMs = 5_000;

type Stop = () => Promise<void>;

/** Obeys the messages of the server, which forked this process. */
export function obeyServer(): void {
  process.on('disconnect', () => process.exit(1));
  // A terminal's Ctrl-C and a service manager's SIGTERM reach the whole group: this process stops when the server says so.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  let running: Promise<Stop> | null = null;
  process.on('message', async (message: ApiMessage) => {
    if (message.type === 'start') running = begin(message.settings, message.secrets);
    else {
      await (await running)?.();
      process.exit(0);
    }
  });
}

/** Ends the process when it can't start. */
function begin(settings: Settings, known: KnownSecrets): Promise<Stop> {
  const logger = createLogger(settings).child({ part: 'api' });
  const die = (cause: unknown) => {
    logger.error('the process of the HTTP API failed and exits; the server starts it again', {
      reason: (cause as Error).message,
      stack: (cause as Error).stack,
    });
    process.exit(1);
  };
  process.on('uncaughtException', die);
  const running = run(settings, known, logger);
  running.catch(die);
  return running;
}

async function run(settings: Settings, known: KnownSecrets, logger: Logger): Promise<Stop> {
  const endpoint = endpointOf(settings)!;
  const workplace = await openWorkplace(settings, { known });
  const app = createApi({
    workplace,
    open: (its, options) => openWorkplace(its, { ...options, known }),
    version: readVersion(),
    logger,
    isSecure: endpoint.tls !== null,
    clock: () => performance.now(),
  });
  const server = await listen(app.fetch, endpoint, logger);
  logger.info('the HTTP API listens', { host: endpoint.host, port: server.port, tls: endpoint.tls !== null });
  return async () => {
    await server.stop(graceMs);
    await workplace.close();
  };
}
