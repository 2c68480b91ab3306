/** A server on loopback with a real space and intake behind it, and one organization that may log in. */
import ssh2, { type ConnectConfig } from 'ssh2';
import { createSilentLogger, type Logger } from '../../config/logger.js';
import type { Paths } from '../../config/paths.js';
import type { Db } from '../../db/connection.js';
import type { Org } from '../../db/control/orgs.js';
import { createIntake, type IntakeDeps, type IntakeService } from '../../intake/intake.js';
import type { HostKey } from '../../keys/host/hostkeys.js';
import { createAccessWatch } from '../../keys/login/accesswatch.js';
import { type Authenticator, createAuthenticator } from '../../keys/login/authenticate.js';
import { startServer } from '../../server/server.js';
import type { RunningServer, ServerSettings } from '../../server/types.js';
import type { Space } from '../../storage/types.js';
import { openFresh } from './databases.js';
import type { KeyPair } from './keys.js';
import { laySite } from './site.js';
import type { Scope } from './temporary.js';

export interface TestServer extends RunningServer {
  control: Db;
  paths: Paths;
  hostKeys: HostKey[];
  intake: IntakeService;
  /** `acme`, enabled, with `key` allowed to log in. */
  org: Org;
  key: KeyPair;
  space: Space;
  addOrg(id: string, change?: Partial<Org>): Promise<Org>;
  /** How ssh2's client gets in as `acme`. */
  login: ConnectConfig;
}

export async function startTestServer(
  scope: Scope,
  change: Partial<ServerSettings> = {},
  logger: Logger = createSilentLogger(),
  now: () => number = Date.now,
  intakeChange: Partial<IntakeDeps['settings']> = {},
  wrap: (authenticator: Authenticator) => Authenticator = (authenticator) => authenticator,
): Promise<TestServer> {
  // Registered first, so that it runs before the database is closed.
  let running: RunningServer | null = null;
  scope.after(() => running?.stop(0));
  const { control, settings: defaults } = await openFresh(scope, 'sqlite');
  const settings = { ...defaults, ...intakeChange };
  const site = await laySite(control, settings, now);
  const { paths, hostKeys, identity, org, key, space, addOrg } = site;
  const intake = createIntake({ control, paths, settings, logger, now, identity });
  const authenticator = wrap(createAuthenticator({ control, settings, now }));
  running = await startServer({
    settings: { ...settings, host: '127.0.0.1', port: 0, ...change },
    logger,
    control,
    hostKeys,
    authenticator,
    access: createAccessWatch({ control, authenticator, logger, now }),
    openSession: site.sessionsOf(intake),
    now,
  });
  const login = { host: running.host, port: running.port, username: 'acme', privateKey: key.private };
  return { ...running, control, paths, hostKeys, intake, org, key, space, addOrg, login };
}

/** An ssh2 client that is logged in; it is closed with the test. Rejects when it is not let in. */
export function connect(scope: Scope, login: ConnectConfig): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  scope.after(() => void client.destroy());
  return new Promise((resolve, reject) => {
    client
      .once('ready', () => resolve(client))
      .once('error', reject)
      .once('close', () => reject(new Error('closed')));
    client.connect(login);
  });
}

/** The SFTP subsystem of a connection, as ssh2's client speaks it. */
export function openSftp(client: ssh2.Client): Promise<ssh2.SFTPWrapper> {
  return new Promise((resolve, reject) => {
    client.sftp((error, sftp) => (error === undefined ? resolve(sftp) : reject(error)));
  });
}
