/** A server whose workers are in this process: their messages go through JSON as between processes, and only the sockets do not. */
import type { Socket } from 'node:net';
import { createSilentLogger } from '../../config/logger.js';
import { pathsOf } from '../../config/paths.js';
import { insertOrg, type Org } from '../../db/control/orgs.js';
import { createIntake, type IntakeDeps, type IntakeService } from '../../intake/intake.js';
import { loadOrCreateHostKeys } from '../../keys/host/hostkeys.js';
import { createAccessWatch } from '../../keys/login/accesswatch.js';
import { createAuthenticator } from '../../keys/login/authenticate.js';
import { loadOrCreateMaster } from '../../keys/master/master.js';
import { createOrgIdentity, openOrgIdentity } from '../../keys/master/orgidentity.js';
import type { ServerSettings } from '../../server/types.js';
import { type Front, type Port, startFront, type Workers } from '../../server/workers/front.js';
import type { FrontMessage, WorkerMessage } from '../../server/workers/messages.js';
import { type RunningWorker, startWorker } from '../../server/workers/worker.js';
import { openSpace } from '../../storage/space.js';
import type { Space } from '../../storage/types.js';
import type { TestDatabases } from './databases.js';
import { allowKey, newKeyPair } from './keys.js';
import { sampleOrg } from './samples.js';
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
  const paths = pathsOf(settings);
  const logger = createSilentLogger();
  const { master } = await loadOrCreateMaster(paths);
  const { keys: hostKeys } = await loadOrCreateHostKeys(paths.hostKeys);
  const identity = (org: Org) => openOrgIdentity(master, org);
  const spaceOf = (org: Org): Space => openSpace({ control, paths, settings, org, now, identity: () => identity(org) });
  const addOrg = async (id: string, orgChange: Partial<Org> = {}): Promise<Org> => {
    const org = sampleOrg(id, { ...(await createOrgIdentity(master.recipient)), ...orgChange });
    await insertOrg(control.write, org);
    return org;
  };
  const org = await addOrg('acme');
  const key = newKeyPair();
  await allowKey(control, 'acme', key);
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
      openSession: (login, sender) => ({ space: spaceOf(login.org), intake: intake.forSender(login.org, sender) }),
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
  return { front, members, control, settings, org, key, addOrg, login, space: spaceOf(org), paths, logger };
}
