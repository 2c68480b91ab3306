/** The argument of every operation: both databases, the data folder, the keys, the clock, and the actor for the audit trail. */
import type { Settings } from '../config/settings.js';
import type { Db, Queryable } from '../db/connection.js';
import { lockOrg, type Org } from '../db/control/orgs.js';
import type { HookSource } from '../importer/hooks/load.js';
import type { MasterKey } from '../keys/master/master.js';
import type { KnownSecrets, MasterSecrets } from '../keys/master/secrets.js';
import type { StoragePaths } from '../storage/storagepaths.js';
import type { Space } from '../storage/types.js';
import { OperationError } from './error.js';

export interface Workplace {
  settings: Settings;
  paths: StoragePaths;
  control: Db;
  directory: Db;
  /** Whether this made the databases. */
  isNew: boolean;
  /** For the audit trail: `operator:<system user>`. */
  actor: string;
  /** The actor belongs to an organization: an admin of it, or a token for it. Absent: an operator, who may decide everything. */
  isOfOrg?: boolean;
  now: () => number;
  /** How far the clock of this machine is ahead of `now`, the clock of all nodes, in ms. */
  skewMs?: () => number;
  /** The source of the master key, and the secrets that were read from it. */
  secrets: MasterSecrets;
  /** @throws KeyError when there is no usable master key. */
  master(): Promise<MasterKey>;
  /** The master key, made where there is none and no organization that needs the old one. @throws KeyError */
  makeMaster(): Promise<{ master: MasterKey; created: boolean }>;
  /** @throws OperationError `not_found` */
  org(id: string): Promise<Org>;
  /** The organization's age identities as they are now, one a line. @throws KeyError */
  identity(org: Org): Promise<string>;
  space(org: Org): Promise<Space>;
  /** The import hooks, for work in this process. @throws OperationError `unavailable` where they are functions of another one; ImportError */
  hooks: HookSource;
  close(): Promise<void>;
}

export interface WorkplaceOptions {
  /** Make the data folder and its databases where there are none; without it that is a refusal. */
  create?: boolean;
  /** Leave the directory database closed: each use of it fails. */
  withoutDirectory?: boolean;
  /** Open databases that were moved, or into which others are copied: only for a move itself. */
  evenMoved?: boolean;
  /** Secrets that the process which started this one has read: a descriptor or a person gives a secret only once. */
  known?: KnownSecrets;
  /** The import hooks of a program that embeds this process. */
  hooks?: HookSource;
  /** The process belongs to another program: nothing is asked on a terminal, and SQLite keeps temporary data in memory. */
  isGuest?: boolean;
}

/** Also for an organization that exists, and that a caller must not know of. */
export function noOrganization(id: string): OperationError {
  return new OperationError('not_found', `no organization "${id}"; see "dropslot orgs list"`);
}

/** Holds an organization as it is until the transaction ends. @throws OperationError `not_found` */
export async function lockOrganization(tx: Queryable, id: string): Promise<Org> {
  const org = await lockOrg(tx, id, true);
  if (org === null) throw noOrganization(id);
  return org;
}

/** Opens a workplace; `app/` has the one that opens it. @throws OperationError `not_found` when there is no data; DatabaseError */
export type OpenWorkplace = (settings: Settings, options?: WorkplaceOptions) => Promise<Workplace>;
