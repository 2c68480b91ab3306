/** A server whose workers are in this process: their messages go through JSON as between processes, and only the sockets do not. */
import type { Socket } from 'node:net';
import { createSilentLogger } from '../../config/logger.js';
import { createIntake, type IntakeDeps, type IntakeService } from '../../intake/intake.js';
import { createAccessWatch } from '../../keys/login/accesswatch.js';
import { createAuthenticator } from '../../keys/login/authenticate.js';
import type { ServerSettings } from '../../server/types.js';
import { type Front, type Port, startFront, type Workers } from '../../server/workers/front.js';
import type { FrontMessage, WorkerMessage } from '../../server/workers/messages.js';
import { type RunningWorker, startWorker } from '../../server/workers/worker.js';
import type { TestDatabases } from './databases.js';
import { laySite } from './site.js';
import type { Scope } from './temporary.js';

type OpenDatabases = (scope: Scope) => Promise<TestDatabases>;

interface Member {
  port: Port;
  worker: RunningWorker;
  intake: IntakeService;
  /** As if it had not answered for seconds. */
  setBusy(isBusy: boolean): void;
  /** For the front its process has been killed; the clients learn it at the end of the test. */
  kill(): void;
}

export async function startWithWorkers(
  scope: Scope,
  openDatabases: OpenDatabases,
  change: Partial<ServerSettings> = {},
  intakeChange: Partial<IntakeDeps['settings']> = {},
  now: () => number = Date.now,
) {
  const running: { front: Front | null; members: Member[] } = { front: null, members: [] };
  // Registered first, so that it runs before the database is closed.
  scope.after(async () => {
    running.front?.close();
    await Promise.all(running.members.map(({ worker }) => worker.stop(0)));
    await running.front?.stop();
  });
  const { control, settings: defaults } = await openDatabases(scope);
  const settings = { ...defaults, ...intakeChange, host: '127.0.0.1', port: 0, ...change };
  const logger = createSilentLogger();
  const site = await laySite(control, settings, now);
  const { paths, hostKeys, identity, org, key, space, addOrg } = site;
  let hear: Parameters<Workers['listen']>[0] | null = null;
  const begin = (number: number): Member => {
    const authenticator = createAuthenticator({ control, settings, now });
    const intake = createIntake({ control, paths, settings, logger, now, identity, process: `worker ${number}` });
    let isOpen = true;
    let isBusy = false;
    const tell = (message: WorkerMessage) => {
      const copy = JSON.parse(JSON.stringify(message)) as WorkerMessage;
      setImmediate(() => isOpen && hear?.onMessage(port, copy));
    };
    const worker = startWorker({
      ...{ settings, logger, control, hostKeys, authenticator, now, tell, name: `worker ${number}` },
      access: createAccessWatch({ control, authenticator, logger, now }),
      openSession: site.sessionsOf(intake),
      memory: intake.memory,
      auditRate: control.auditRate,
      isGuest: true,
    });
    const port: Port = {
      get isOpen() {
        return isOpen;
      },
      get isBusy() {
        return isBusy;
      },
      send(message: FrontMessage, socket?: Socket) {
        const copy = JSON.parse(JSON.stringify(message)) as FrontMessage;
        setImmediate(() => isOpen && worker.onMessage(copy, socket ?? null));
      },
    };
    const kill = () => {
      isOpen = false;
      hear?.onEnd(port);
    };
    const setBusy = (now: boolean) => {
      isBusy = now;
    };
    return { port, worker, intake, setBusy, kill };
  };
  running.members = Array.from({ length: 2 }, (_, index) => begin(index + 1));
  running.front = await startFront(
    { settings, logger, control, now },
    {
      list: () => running.members.map(({ port }) => port),
      listen(listeners) {
        hear = listeners;
        for (const { port } of running.members) listeners.onStart(port);
      },
    },
  );
  const login = {
    host: '127.0.0.1',
    port: running.front.listeners[0]!.port,
    username: 'acme',
    privateKey: key.private,
  };
  const { front, members } = running;
  return { front, members, control, settings, org, key, addOrg, login, space, paths, logger };
}
