/** The process of the HTTP API and the console: answers from the server's `start` message until its `stop`, off the event loop of SFTP. */
import { readVersion } from '../config/environment.js';
import { createServerLogger, type Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import { shareLock } from '../db/lock.js';
import type { KnownSecrets } from '../keys/master/secrets.js';
import { createDrops } from '../operations/drops/drops.js';
import { createSharedWork } from '../operations/places.js';
import type { ShownSetting } from '../operations/settings.js';
import type { WorkplaceOptions } from '../operations/workplace.js';
import { createApi } from '../web/api/api.js';
import { type Endpoint, endpointOf, type Listening, listen } from '../web/api/listen.js';
import { createConsole } from '../web/console/console.js';
import { consoleEndpointOf } from '../web/console/endpoint.js';
import { openWorkplace } from './compose.js';
import { type CountMessage, forwardAudit } from './counting.js';
import { dieOfDefects } from './defects.js';
import { createRemoteHooks, type HookAnswer, type HookCall, type HooksInfo, type RemoteHooks } from './hookcalls.js';
import { followParent, tellParent } from './parent.js';
import { startTraces } from './traces.js';

export type ApiMessage =
  | { type: 'start'; settings: Settings; shown: readonly ShownSetting[]; secrets: KnownSecrets; hooks?: HooksInfo }
  | HookAnswer
  | { type: 'stop' };

/** To the server; counts with the setting monitor. */
export type FromApi = HookCall | (CountMessage & { type: 'audit' });

const graceMs = 5_000;
const lockWaitMs = 60_000;

/** Given by the process that started this one, for each workplace. */
type Shared = Pick<WorkplaceOptions, 'known' | 'hooks'>;

type Stop = () => Promise<void>;

/** Obeys the messages of the server, which forked this process. */
export function obeyServer(): void {
  followParent();
  let running: Promise<Stop> | null = null;
  let remote: RemoteHooks | null = null;
  process.on('message', async (message: ApiMessage) => {
    if (message.type === 'start') {
      const { settings, shown, secrets, hooks } = message;
      remote = hooks === undefined ? null : createRemoteHooks(hooks, settings, tellParent);
      running = begin(settings, shown, { known: secrets, ...(remote && { hooks: remote.source }) });
    } else if (message.type === 'hooked') remote?.onAnswer(message);
    else {
      await (await running)?.();
      process.exit(0);
    }
  });
}

/** Ends the process when it can't start. */
function begin(settings: Settings, shown: readonly ShownSetting[], shared: Shared): Promise<Stop> {
  const logger = createServerLogger(settings, false).child({ part: 'api' });
  const die = dieOfDefects(logger, 'the process of the HTTP API failed and exits; the server starts it again');
  const running = run(settings, shown, shared, logger);
  running.catch(die);
  return running;
}

type Fetch = Parameters<typeof listen>[0];

/** One listener for each address: the API and the console may share one. */
async function run(settings: Settings, shown: readonly ShownSetting[], shared: Shared, logger: Logger): Promise<Stop> {
  const workplace = await openWorkplace(settings, shared);
  if (settings.monitor !== undefined) forwardAudit(workplace.control, tellParent<FromApi>);
  const traces = startTraces(settings, { part: 'api', version: readVersion(), logger });
  // A server that starts now leaves the bytes that arrive here.
  const lock =
    settings.database === 'sqlite'
      ? await shareLock(workplace.paths.sessionsLock, settings.sqliteDriver, lockWaitMs)
      : null;
  const drops = createDrops(workplace, logger);
  const deps = {
    workplace,
    open: (its: Settings, options?: WorkplaceOptions) => openWorkplace(its, { ...options, ...shared }),
    drops,
    version: readVersion(),
    settings: shown,
    clock: () => performance.now(),
    work: createSharedWork(),
  };
  const [api, site] = [endpointOf(settings), consoleEndpointOf(settings)];
  const isShared = api !== null && api.host === site?.host && api.port === site?.port && api.port !== 0;
  const listening: Listening[] = [];
  const start = async (name: string, fetch: Fetch, endpoint: Endpoint) => {
    const server = await listen(fetch, endpoint, logger);
    listening.push(server);
    logger.info(`${name} listens`, { host: endpoint.host, port: server.port, tls: endpoint.tls !== null });
  };
  const isSecure = (api ?? site)?.tls != null;
  const apiFetch: Fetch = createApi({ ...deps, logger, isSecure }).fetch;
  const url = settings.consoleUrl?.toLowerCase() ?? null;
  const siteLogger = logger.child({ part: 'console' });
  const siteFetch: Fetch = createConsole({ ...deps, logger: siteLogger, url, isSecure }).fetch;
  const isOfApi = ({ url: asked }: Request) => /^\/(?:api|scim)\//.test(new URL(asked).pathname);
  const both: Fetch = (request, env) => (isOfApi(request) ? apiFetch : siteFetch)(request, env);
  if (api !== null) await start('the HTTP API', isShared ? both : apiFetch, api);
  if (site !== null && !isShared) await start('the console', siteFetch, site);
  return async () => {
    await Promise.all(listening.map((server) => server.stop(graceMs)));
    await drops.close();
    await lock?.release();
    await workplace.close();
    await traces.stop();
  };
}
