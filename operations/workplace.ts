/** The argument of every operation: both databases, the data folder, the keys, the clock, and the actor for the audit trail. */
import type { Paths } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import type { Db } from '../db/connection.js';
import type { Org } from '../db/control/orgs.js';
import type { MasterKey } from '../keys/master/master.js';
import type { MasterSecrets } from '../keys/master/secrets.js';
import type { Space } from '../storage/types.js';

export interface Workplace {
  settings: Settings;
  paths: Paths;
  control: Db;
  directory: Db;
  /** Whether this made the databases. */
  isNew: boolean;
  /** For the audit trail: `operator:<system user>`. */
  actor: string;
  now: () => number;
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
  space(org: Org): Space;
  close(): Promise<void>;
}

export interface WorkplaceOptions {
  /** Make the data folder and its databases where there are none; without it that is a refusal. */
  create?: boolean;
  /** Leave the directory database closed: each use of it fails. */
  withoutDirectory?: boolean;
}

/** Opens a workplace; `app/` has the one that opens it. @throws OperationError `not_found` when there is no data; DatabaseError */
export type OpenWorkplace = (settings: Settings, options?: WorkplaceOptions) => Promise<Workplace>;
