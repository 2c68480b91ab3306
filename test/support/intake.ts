/** An organization with an intake and a space over fresh databases. */
import { createSilentLogger } from '../../config/logger.js';
import { pathsOf } from '../../config/paths.js';
import type { Db } from '../../db/connection.js';
import { insertOrg, type Org, type OrgLimits } from '../../db/control/orgs.js';
import { archiveUpload } from '../../db/control/settle.js';
import { claimUploads, settleUpload } from '../../db/control/uploads.js';
import { createIntake, type IntakeDeps, type IntakeService } from '../../intake/intake.js';
import type { BeginOptions, Intake, Receipt, Sender } from '../../intake/types.js';
import { openSpace } from '../../storage/space.js';
import type { Space } from '../../storage/types.js';
import type { TestDatabases } from './databases.js';
import { sampleOrg } from './samples.js';
import { createStore } from './sealing.js';
import type { Scope } from './temporary.js';

export const sender: Sender = { keyFingerprint: 'SHA256:test', address: '127.0.0.1', client: 'test_1.0' };

/** What OpenSSH's `put` asks for. */
export const replacing: BeginOptions = {
  truncate: true,
  exclusive: false,
  create: true,
  append: false,
  attributes: {},
};

/** What `scp` asks for: whatever is not written over stays. */
export const keeping: BeginOptions = { ...replacing, truncate: false };

export interface TestIntake {
  org: Org;
  service: IntakeService;
  intake: Intake;
  space: Space;
  /** As a session sees it that began after the organization got limits of its own. */
  spaceWith(limits: OrgLimits): Space;
  control: Db;
  paths: IntakeDeps['paths'];
  settings: TestDatabases['settings'];
  identity: string;
  /** The clock, in milliseconds; moves when it is told to. */
  clock: { now: number };
  /** Uploads a whole file, as OpenSSH does. */
  put(path: string, content: string | Buffer): Promise<Receipt>;
  get(path: string): Promise<string>;
  /** The intake of another server on the same data. */
  secondServer(change?: Partial<IntakeDeps>): Intake;
}

export async function openIntake(
  scope: Scope,
  databases: Pick<TestDatabases, 'control' | 'settings'>,
  change: Partial<IntakeDeps> = {},
): Promise<TestIntake> {
  const store = await createStore(scope);
  const own = { ...pathsOf(databases.settings), blobs: store.paths.blobs, partials: store.paths.partials };
  const paths = change.paths ?? own;
  const org = sampleOrg('acme', { recipient: store.recipient });
  await insertOrg(databases.control.write, org);
  const clock = { now: Date.UTC(2026, 0, 31, 23, 30) };
  const { control, settings } = databases;
  const now = () => clock.now;
  const identity = async () => store.identity;
  const deps = { control, paths, settings, logger: createSilentLogger(), now, identity, ...change };
  const service = createIntake(deps);
  const intake = service.forSender(org, sender);
  const space = openSpace({ control, paths, settings, org, identity, now });
  const put = async (path: string, content: string | Buffer) => {
    const upload = await intake.begin(path, replacing);
    await upload.write(0, Buffer.from(content));
    return upload.finish();
  };
  const get = async (path: string) => {
    const reader = await space.openRead(path);
    const bytes = await reader.read(0, reader.entry.size + 1);
    await reader.close();
    return bytes.toString();
  };
  const spaceWith = (limits: OrgLimits) =>
    openSpace({ control, paths, settings, org: { ...org, limits }, identity, now });
  const secondServer = (other: Partial<IntakeDeps> = {}) => createIntake({ ...deps, ...other }).forSender(org, sender);
  return {
    org,
    service,
    intake,
    secondServer,
    space,
    spaceWith,
    control,
    paths,
    settings,
    identity: store.identity,
    clock,
    put,
    get,
  };
}

/** Archives the queue of `acme`, as the end of a run does. */
export async function archiveQueue(control: Db, at: number): Promise<void> {
  await control.transact(async (tx) => {
    for (const { id, path } of await claimUploads(tx, 'acme', 1)) {
      const name = path.slice(path.lastIndexOf('/') + 1);
      const archivedAs = await archiveUpload(tx, 'acme', id, `/archive/2026-01-31/${name}`, at);
      await settleUpload(tx, id, { state: 'imported', archivedAs, at });
    }
  });
}
