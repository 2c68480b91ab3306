/** An organization with a source or a watched folder, and its rounds as the scheduler runs them. */
import { createSilentLogger } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import { listTaken, type TakenFile } from '../../db/control/sourcefiles.js';
import {
  type FolderConfig,
  findSource,
  insertSource,
  type SftpConfig,
  type Source,
  updateSource,
} from '../../db/control/sources.js';
import { listQueue, type UploadRow } from '../../db/control/uploads.js';
import { loadMaster } from '../../keys/master/master.js';
import { nextSlotOf } from '../../operations/doors.js';
import { makeWorkDeps } from '../../sources/parts.js';
import { type SourceSecret, sealSecret } from '../../sources/secret.js';
import { type Ended, type WorkDeps, workOn } from '../../sources/work.js';
import { Company } from './company.js';
import { openFresh } from './databases.js';
import type { MemoryServer } from './memoryserver.js';
import type { Scope } from './temporary.js';

export interface Door {
  company: Company;
  id: number;
  deps: WorkDeps;
  source(): Promise<Source>;
  change(config: Partial<SftpConfig> | Partial<FolderConfig>): Promise<void>;
  round(change?: Partial<WorkDeps>): Promise<Ended>;
  queue(): Promise<UploadRow[]>;
  taken(): Promise<TakenFile[]>;
}

/** Each round finds the files at rest at once. */
const quick: Partial<Settings> = { sourceSettleSeconds: 0, sourceIdleSeconds: 5 };

export function sftpConfig(server: MemoryServer, change: Partial<SftpConfig> = {}): SftpConfig {
  return {
    kind: 'sftp',
    ...{ host: '127.0.0.1', port: server.port, user: 'hr', auth: 'password', publicKey: null },
    hostKeys: [server.fingerprint],
    ...{ path: '/out', patterns: [], after: { kind: 'keep' }, when: 'every:30m', into: '/' },
    ...{ allowPrivate: true, legacyAlgorithms: false },
    ...change,
  };
}

export async function openDoor(
  scope: Scope,
  config: SftpConfig | FolderConfig,
  secret: SourceSecret | null,
  change: Partial<Settings> = {},
): Promise<Door> {
  const databases = await openFresh(scope, 'sqlite');
  const company = await Company.join(databases);
  const { control, paths, settings, now, identity } = company.deps;
  const master = () => loadMaster(paths);
  const id = await insertSource(control.write, {
    ...{ org: company.org.id, config, state: 'active', nextAt: company.clock, createdAt: company.clock },
    secret: secret === null ? null : await sealSecret((await master()).recipient, secret),
  });
  const deps = makeWorkDeps({
    ...{ control, paths, now, identity, logger: createSilentLogger(), loadMaster: master, nextSlot: nextSlotOf },
    settings: { ...settings, ...quick, ...change },
  });
  const source = async () => (await findSource(control.read, id))!;
  return {
    ...{ company, id, deps, source },
    change: async (changed) => {
      const found = await source();
      await updateSource(control.write, id, { config: { ...found.config, ...changed } as SftpConfig });
    },
    round: async (changed = {}) => {
      const ended = await workOn({ ...deps, ...changed }, id, new AbortController().signal);
      if (ended === null) throw new Error('the source is claimed by another one');
      return ended;
    },
    queue: () => listQueue(control.read, company.org.id),
    taken: () => listTaken(control.read, id),
  };
}
