/** Checks the OpenPGP keys of one organization: those that end soon, and settings that need a key that is gone. */
import type { Org } from '../../db/control/orgs.js';
import { type PgpKeyRow, statePgpKey } from '../../db/control/pgpkeys.js';
import { formatTime } from '../format.js';
import type { reporter } from './finding.js';

const soonMs = 30 * 24 * 60 * 60 * 1000;

/** @param keys all of the organization's, the newest first */
export function examinePgpKeys(
  at: number,
  org: Org,
  keys: readonly PgpKeyRow[],
  report: ReturnType<typeof reporter>,
): void {
  const own = keys.filter(({ kind }) => kind === 'own');
  const published = own.find((key) => statePgpKey(key, at) === 'active');
  const generate = `dropslot pgp generate ${org.id}`;
  if (published === undefined && (own.length > 0 || org.options.requireEncryption === true))
    report(
      'warning',
      `it has no PGP key that can be used, so files that are encrypted with PGP are refused: ${generate}`,
    );
  else if (published?.expiresAt != null && published.expiresAt - at < soonMs)
    report(
      'warning',
      `its PGP key ${published.fingerprint} expires at ${formatTime(published.expiresAt)}: dropslot pgp rotate ${org.id}, and hand out the new one`,
    );
  const { requireSignature = [], reportsTo } = org.options;
  const customers = keys.filter(({ kind }) => kind === 'customer');
  const isUsable = (fingerprint: string, from: number) =>
    customers.some((key) => key.fingerprint === fingerprint && statePgpKey(key, from) === 'active');
  if (requireSignature.length > 0 && !requireSignature.some((one) => isUsable(one, at + soonMs)))
    report(
      'warning',
      `all PGP keys of its setting requireSignature have ended or end within 30 days, and then every file is refused: get the customer's new key, and add it with "dropslot pgp import ${org.id} FILE"`,
    );
  if (reportsTo !== undefined && !isUsable(reportsTo, at + soonMs))
    report(
      'warning',
      `the PGP key ${reportsTo} to which its reports are encrypted has ended or ends within 30 days: get the customer's new key, and set reportsTo`,
    );
}
