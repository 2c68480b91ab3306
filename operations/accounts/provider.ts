/** Identity providers of the console: that of the server, and those of organizations; which people sign in at which. */
import { findSecret, readSecret, toSecretText } from '../../config/secretsource.js';
import type { Account, Role } from '../../db/control/accounts.js';
import { findOrgProvider, type OrgProvider } from '../../db/control/orgproviders.js';
import { loadMaster } from '../../keys/master/master.js';
import { openText } from '../../keys/master/sealedtext.js';
import { OperationError } from '../error.js';
import type { Workplace } from '../workplace.js';

/** Of the addresses of the server's provider; the keys of others are random, so that no address tells that an organization exists. */
export const serverKey = 'server';

export interface Provider {
  key: string;
  /** null: of the server. */
  org: string | null;
  issuer: string;
  clientId: string;
  /** Of its button. */
  label: string;
  scopes: string;
  emailClaim: string;
  verifiedClaim: string;
  /** Of addresses; empty: all. */
  domains: readonly string[];
  newAccounts: Role | null;
  /** Its people sign in neither with a password nor with a passkey. */
  isRequired: boolean;
  /** Of the server: also for people of organizations without a provider. */
  isForOrganizations: boolean;
  allowHttp: boolean;
  allowPrivate: boolean;
}

/** null: none has this key. */
export async function findProvider(workplace: Workplace, key: string): Promise<Provider | null> {
  if (key === serverKey) return providerOfServer(workplace);
  if (!/^[\w-]{22}$/.test(key)) return null;
  const found = await findOrgProvider(workplace.control.read, { key });
  return found === null ? null : toProvider(found);
}

/** null: there is none. */
export function providerOfServer({ settings }: Pick<Workplace, 'settings'>): Provider | null {
  const { oidc, passwordSignIn } = settings;
  if (oidc === undefined) return null;
  return {
    ...{ key: serverKey, org: null, issuer: oidc.issuer, clientId: oidc.clientId, label: oidc.label },
    ...{ scopes: oidc.scopes, emailClaim: oidc.emailClaim, verifiedClaim: oidc.verifiedClaim, domains: oidc.domains },
    newAccounts: oidc.newAccounts ?? null,
    isRequired: passwordSignIn === 'off',
    isForOrganizations: oidc.organizations,
    allowHttp: oidc.allowHttp,
    // The operator's own provider is often in the operator's own network.
    allowPrivate: true,
  };
}

/** The one at which an account signs in; null: it signs in with a password or a passkey alone. */
export async function providerOf(workplace: Workplace, { org }: Pick<Account, 'org'>): Promise<Provider | null> {
  const own = org === null ? null : await findOrgProvider(workplace.control.read, { org });
  if (own !== null) return toProvider(own);
  const common = providerOfServer(workplace);
  return org === null || common?.isForOrganizations === true ? common : null;
}

/** Whether an account signs in with a password or a passkey. */
export async function mayUsePassword(workplace: Workplace, account: Pick<Account, 'org'>): Promise<boolean> {
  return (await providerOf(workplace, account))?.isRequired !== true;
}

export function toProvider({ org, key, issuer, clientId, options }: OrgProvider): Provider {
  const { passwordSignIn, ...rest } = options;
  return { ...rest, ...{ org, key, issuer, clientId, isRequired: !passwordSignIn, isForOrganizations: false } };
}

/** As it is now: a new secret needs no restart. null: a public client. @throws OperationError `failed` */
export async function readClientSecret(workplace: Workplace, { org }: Provider): Promise<string | null> {
  if (org !== null) return openSecret(workplace, org);
  const { oidc, credentials } = workplace.settings;
  if (oidc?.clientSecretFile === undefined) return null;
  const source = findSecret(oidc.clientSecretFile, credentials);
  const bytes = await readSecret(source).catch((cause: Error) => {
    throw new OperationError('failed', `clientSecretFile of oidc: ${cause.message}`, { cause });
  });
  if (bytes === null) throw new OperationError('failed', `clientSecretFile of oidc: there is no file ${source}`);
  return toSecretText(bytes);
}

async function openSecret({ control, master, paths, secrets }: Workplace, org: string): Promise<string | null> {
  const sealed = (await findOrgProvider(control.read, { org }))?.secret ?? null;
  if (sealed === null) return null;
  const { identity } = await master();
  // A command may have changed the master key since this process read it.
  const newer = async () => openText((await loadMaster(paths, secrets)).identity, sealed);
  return openText(identity, sealed)
    .catch(newer)
    .catch((cause: Error) => {
      throw new OperationError('failed', `no master key opens the client secret of the provider of ${org}`, { cause });
    });
}
