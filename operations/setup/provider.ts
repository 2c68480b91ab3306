/** The identity provider of an organization in the file of `dropslot apply`: compared with the one that it has, and written. */
import { findOrgProvider, type OrgProvider } from '../../db/control/orgproviders.js';
import {
  type ProviderChange,
  planProvider,
  providerDefaults,
  removeProvider,
  setProvider,
} from '../accounts/orgprovider.js';
import type { Workplace } from '../workplace.js';
import { at, type Change } from './change.js';

/** @param prune also resets what the file does not name. @throws OperationError `usage`, with the place in the file */
export async function compareProvider(
  place: Workplace,
  org: string,
  wanted: ProviderChange | 'none',
  prune: boolean,
): Promise<Change[]> {
  const before = await findOrgProvider(place.control.read, { org });
  if (wanted === 'none') {
    if (before === null) return [];
    const act = async () => removeProvider(place, org).then(() => null);
    return [{ org, sign: '-', text: `provider ${before.issuer}: its people need a password from now on`, act }];
  }
  const usual = { ...asTexts(providerDefaults), allowHttp: false, allowPrivate: false };
  const change = prune ? { ...usual, ...wanted } : wanted;
  const after = await at(`organizations.${org}.provider`, () => planProvider(org, before, change));
  const changed = before === null ? null : differences(before, after);
  if (changed?.length === 0) return [];
  const act = async () => {
    const { hasSecret } = await setProvider(place, org, change);
    return hasSecret
      ? null
      : `The provider of ${org} has no client secret; if it is no public client: dropslot console set-provider ${org} --client-secret-file FILE`;
  };
  const text = `provider ${after.issuer}${changed === null ? '' : `: ${changed.join(', ')}`}`;
  return [{ org, sign: changed === null ? '+' : '~', text, act }];
}

/** As the file has it, without its secret. */
export function describeProvider(found: OrgProvider): Record<string, unknown> {
  const { allowHttp, allowPrivate } = found.options;
  const [own, usual] = [asTexts(found.options), asTexts(providerDefaults)];
  const texts = Object.entries(own).filter(([name, text]) => text !== usual[name as keyof typeof usual]);
  return {
    ...{ issuer: found.issuer, clientId: found.clientId },
    ...Object.fromEntries(texts),
    ...(allowHttp && { allowHttp }),
    ...(allowPrivate && { allowPrivate }),
  };
}

/** As `console set-provider` takes them. */
function asTexts(options: OrgProvider['options']) {
  const { label, scopes, emailClaim, verifiedClaim, domains, newAccounts, passwordSignIn } = options;
  return {
    ...{ label, scopes, emailClaim, verifiedClaim, domains: domains.join(',') },
    newAccounts: newAccounts ?? 'no',
    passwordSignIn: passwordSignIn ? 'on' : 'off',
  };
}

function differences(before: OrgProvider, after: Pick<OrgProvider, 'issuer' | 'clientId' | 'options'>): string[] {
  const flatten = ({ issuer, clientId, options }: typeof after) => ({ issuer, clientId, ...options });
  const [one, other] = [flatten(before), flatten(after)] as Record<string, unknown>[];
  return Object.keys(other!).filter((name) => JSON.stringify(one![name]) !== JSON.stringify(other![name]));
}
