/** People of the web console and the providers at which they sign in, as JSON without secrets. The command line and the API give the same. */
import { type ProviderAddresses, providerAddresses } from '../accounts/link.js';
import type { ShownProvider } from '../accounts/orgprovider.js';
import type { Account } from '../accounts/rights.js';
import { isoTime } from '../format.js';
import type { Workplace } from '../workplace.js';

export function accountToJson({ createdAt, signedInAt, ...account }: Account) {
  return { ...account, createdAt: isoTime(createdAt), signedInAt: isoTime(signedInAt) };
}

/** null: the console is off. */
export function addressesOf(
  { settings }: Pick<Workplace, 'settings'>,
  { key }: ShownProvider,
): ProviderAddresses | null {
  return settings.console === undefined ? null : providerAddresses(settings, key);
}

export function providerToJson(provider: ShownProvider, workplace: Pick<Workplace, 'settings'>) {
  const { org, issuer, clientId, hasSecret, label, scopes, emailClaim, verifiedClaim, domains, newAccounts } = provider;
  const { allowHttp, allowPrivate, isRequired } = provider;
  const { signIn = null, redirect = null } = addressesOf(workplace, provider) ?? {};
  return {
    ...{ org, issuer, clientId, hasSecret, label, scopes, emailClaim, verifiedClaim, domains, newAccounts },
    ...{ passwordSignIn: !isRequired, allowHttp, allowPrivate, signIn, redirect },
  };
}
