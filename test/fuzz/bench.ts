/** What a fuzzed session works on: real databases and a real store, a new organization for each case, and one that looks on. */
import type { Logger } from '../../config/logger.js';
import { pathsOf } from '../../config/paths.js';
import { insertOrg, type Org } from '../../db/control/orgs.js';
import { dryRunRoot, readOnlyRoots } from '../../db/control/treelayout.js';
import { listQueue } from '../../db/control/uploads.js';
import { createIntake, type IntakeService } from '../../intake/intake.js';
import type { Intake } from '../../intake/types.js';
import { openSpace } from '../../storage/space.js';
import type { Space } from '../../storage/types.js';
import { openFresh } from '../support/databases.js';
import { replacing, sender } from '../support/intake.js';
import { sampleOrg } from '../support/samples.js';
import { createStore } from '../support/sealing.js';
import { keepingLogger } from '../support/session.js';
import type { Scope } from '../support/temporary.js';
import type { ModelLimits } from './model.js';

export const limits: ModelLimits = { maxFileBytes: 512 * 1024, maxHandles: 6, uploadWindowBytes: 64 * 1024 };

const bystanderContent = 'User Email\nann@globex.test\n';

export interface Place {
  org: Org;
  space: Space;
  intake: Intake;
}

export interface Bench {
  service: IntakeService;
  logger: Logger;
  /** Lines since the last case, with their level. */
  lines: string[];
  newPlace(): Promise<Place>;
  /** Everything that clients may write, by path; null for folders. */
  readTree(place: Place): Promise<Map<string, Buffer | null>>;
  /** Paths that wait for a run. */
  queueOf(org: Org): Promise<string[]>;
  /** Whether the other organization still has what it had, and nothing else. */
  isBystanderWell(): Promise<boolean>;
}

export async function openBench(scope: Scope): Promise<Bench> {
  const { control, settings: defaults } = await openFresh(scope, 'sqlite');
  const store = await createStore(scope);
  const paths = { ...pathsOf(defaults), blobs: store.paths.blobs, partials: store.paths.partials };
  const { maxFileBytes, uploadWindowBytes } = limits;
  const room = { maxStoredBytes: Number.MAX_SAFE_INTEGER, minFreeBytes: 0, keepPartialHours: 0 };
  const settings = { ...defaults, maxFileBytes, uploadWindowBytes, ...room };
  const { logger, lines } = keepingLogger('info');
  const identity = async () => store.identity;
  const service = createIntake({ control, paths, settings, logger, now: Date.now, identity });
  let places = 0;
  const newPlace = async (): Promise<Place> => {
    const org = sampleOrg(`org-${places++}`, { recipient: store.recipient });
    await insertOrg(control.write, org);
    const space = openSpace({ control, paths, settings, org, identity, now: Date.now });
    return { org, space, intake: service.forSender(org, sender) };
  };
  const bystander = await newPlace();
  const upload = await bystander.intake.begin('/a.csv', replacing);
  await upload.write(0, Buffer.from(bystanderContent));
  await upload.finish();
  const queueOf = async (org: Org) => (await listQueue(control.read, org.id)).map((upload) => upload.path).sort();
  return {
    service,
    logger,
    lines,
    newPlace,
    readTree: ({ space }) => readTree(space),
    queueOf,
    isBystanderWell: async () => {
      const found = await readTree(bystander.space);
      const isSame = found.size === 1 && found.get('/a.csv')?.toString() === bystanderContent;
      return isSame && (await queueOf(bystander.org)).join() === '/a.csv';
    },
  };
}

const serversOwn: readonly string[] = [...readOnlyRoots, dryRunRoot];

async function readTree(space: Space, folder = '/'): Promise<Map<string, Buffer | null>> {
  const found = new Map<string, Buffer | null>();
  for (let after: string | null = null; ; ) {
    const page = await space.list(folder, after, 50);
    for (const { path, kind } of page) {
      if (serversOwn.includes(path)) continue;
      found.set(path, kind === 'dir' ? null : await readWhole(space, path));
      if (kind === 'dir') for (const [inside, node] of await readTree(space, path)) found.set(inside, node);
    }
    if (page.length === 0) return found;
    after = page.at(-1)!.name;
  }
}

async function readWhole(space: Space, path: string): Promise<Buffer> {
  const reader = await space.openRead(path);
  try {
    return await reader.read(0, reader.entry.size + 1);
  } finally {
    await reader.close();
  }
}
