/** Opens organizations' identities for a running process, and reads them again after the master key or an identity changed. */
import type { Org } from '../../db/control/orgs.js';
import { KeyError } from '../error.js';
import type { MasterKey } from './master.js';
import { openOrgIdentity } from './orgidentity.js';

export interface Keyring {
  /** @throws KeyError when there is no usable master key */
  master(): Promise<MasterKey>;
  /**
   * The organization's identities as they are now, one a line (see openOrgIdentity).
   * @throws KeyError
   */
  open(org: Pick<Org, 'id'>): Promise<string>;
}

export interface KeyringSources {
  /** Reads the master key; called again when it fails to open an identity. */
  loadMaster: () => Promise<MasterKey>;
  /** The organization as it is in the database now; null: none. */
  findOrg: (id: string) => Promise<Org | null>;
}

export function createKeyring({ loadMaster, findOrg }: KeyringSources): Keyring {
  let loading: Promise<MasterKey> | null = null;
  const opened = new Map<string, { sealed: string; identity: string }>();
  const master = () => {
    loading ??= loadMaster();
    return loading;
  };
  const openAnew = async (org: Org) => {
    try {
      return await openOrgIdentity(await master(), org);
    } catch (error) {
      if (!(error instanceof KeyError) || error.code !== 'refused') throw error;
      loading = loadMaster();
      return openOrgIdentity(await loading, org);
    }
  };
  const open = async ({ id }: Pick<Org, 'id'>) => {
    const org = await findOrg(id);
    if (org === null) throw new KeyError('missing', `organization ${id} no longer exists`);
    const sealed = [org.sealedIdentity, ...org.oldIdentities.map((old) => old.sealedIdentity)].join();
    const known = opened.get(id);
    if (known?.sealed === sealed && org.sealedIdentity !== null) return known.identity;
    opened.delete(id);
    const identity = await openAnew(org);
    opened.set(id, { sealed, identity });
    return identity;
  };
  return { master, open };
}

/** The keyring of a process that must open no file, even if keys are on its disk. */
export function createWithheldKeyring(): Keyring {
  const refuse = async (): Promise<never> => {
    throw new KeyError('withheld', 'this node accepts uploads only: it holds no key, and opens no file');
  };
  return { master: refuse, open: refuse };
}
