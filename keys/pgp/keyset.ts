/** The OpenPGP keys of one organization as an import uses them: private keys are opened only when a file needs them. */
import type { Queryable } from '../../db/connection.js';
import { listPgpKeys, type PgpKeyRow } from '../../db/control/pgpkeys.js';
import { KeyError } from '../error.js';
import { openText } from '../master/sealedtext.js';

export interface PgpKeySet {
  /** The organization's own, the newest first, whatever their state. */
  own: PgpKeyRow[];
  customers: PgpKeyRow[];
  /** In armor. @throws KeyError when the identity that seals it does not open. */
  openPrivate(key: PgpKeyRow): Promise<string>;
}

/** @param identity the organization's age identities, one a line. */
export async function readPgpKeys(db: Queryable, org: string, identity: () => Promise<string>): Promise<PgpKeySet> {
  const keys = await listPgpKeys(db, org);
  return {
    own: keys.filter(({ kind }) => kind === 'own'),
    customers: keys.filter(({ kind }) => kind === 'customer'),
    openPrivate: async ({ sealedPrivateKey, fingerprint }) => {
      const identities = await identity();
      try {
        return await openText(identities, sealedPrivateKey ?? '');
      } catch (cause) {
        const reason = `the PGP key ${fingerprint} of organization ${org} is sealed to another identity than that of the organization`;
        throw new KeyError('refused', reason, { cause });
      }
    },
  };
}

/** The public key to which the reports of an organization are encrypted; null: none is chosen. */
export async function findReportKey(
  db: Queryable,
  org: string,
  fingerprint: string | undefined,
): Promise<string | null> {
  if (fingerprint === undefined) return null;
  const customers = await listPgpKeys(db, org, 'customer');
  const found = customers.find((key) => key.fingerprint === fingerprint);
  if (found === undefined)
    throw new KeyError(
      'missing',
      `organization ${org} has no PGP key ${fingerprint}, to which its reports are encrypted`,
    );
  return found.publicKey;
}
