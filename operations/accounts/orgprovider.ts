/** The provider of an organization: set, shown and removed by operators, who alone choose the addresses that Dropslot asks. */
import { randomBytes } from 'node:crypto';
import { isClaim, isDomain, isIssuer, isLabel, isScopes } from '../../config/oidc.js';
import { orgRoles } from '../../db/control/accounts.js';
import { recordAudit } from '../../db/control/audit.js';
import {
  deleteOrgProvider,
  findOrgProvider,
  listOrgProviders,
  lockOrgProvider,
  type OrgProvider,
  type OrgProviderOptions,
  putOrgProvider,
} from '../../db/control/orgproviders.js';
import { lockOrg } from '../../db/control/orgs.js';
import { isPrivateHost } from '../../events/webhook/address.js';
import { sealText } from '../../keys/master/sealedtext.js';
import { OperationError } from '../error.js';
import { unknownWord } from '../unknownword.js';
import type { Workplace } from '../workplace.js';
import { type Provider, providerOfServer, toProvider } from './provider.js';

/** Each is optional for an organization that has a provider: it keeps its value then. */
export interface ProviderChange {
  issuer?: string | undefined;
  clientId?: string | undefined;
  /** null: a public client. */
  secret?: string | null | undefined;
  label?: string | undefined;
  scopes?: string | undefined;
  emailClaim?: string | undefined;
  verifiedClaim?: string | undefined;
  /** Separated by commas; '': all. */
  domains?: string | undefined;
  /** A role, or `no`. */
  newAccounts?: string | undefined;
  /** `on` or `off`. */
  passwordSignIn?: string | undefined;
  allowHttp?: boolean | undefined;
  allowPrivate?: boolean | undefined;
}

export const providerDefaults: OrgProviderOptions = {
  label: 'single sign-on',
  scopes: 'openid email',
  emailClaim: 'email',
  verifiedClaim: 'email_verified',
  domains: [],
  newAccounts: null,
  passwordSignIn: true,
  allowHttp: false,
  allowPrivate: false,
};

export interface ShownProvider extends Provider {
  hasSecret: boolean;
}

/** Adds the provider of an organization, or changes it. @throws OperationError `not_found`, `usage`; KeyError */
export async function setProvider(workplace: Workplace, id: string, change: ProviderChange): Promise<ShownProvider> {
  const { control, actor, now } = workplace;
  const { id: org } = await workplace.org(id);
  const given = change.secret ? await sealText((await workplace.master()).recipient, change.secret) : change.secret;
  return control.transact(async (tx) => {
    await lockOrg(tx, org, true);
    const before = await lockOrgProvider(tx, org);
    const { issuer, clientId, options } = planProvider(org, before, change);
    // A secret belongs to one client of one issuer, and is sent to no other.
    const isSame = before !== null && before.issuer === issuer && before.clientId === clientId;
    const secret = given === undefined ? (isSame ? before.secret : null) : given;
    const row = {
      ...{ org, issuer, clientId, secret, options },
      key: before?.key ?? randomBytes(16).toString('base64url'),
      createdBy: before?.createdBy ?? actor,
      createdAt: before?.createdAt ?? now(),
    };
    await putOrgProvider(tx, row);
    const detail = { issuer, clientId, ...options };
    await recordAudit(tx, { at: now(), org, actor, action: 'provider.set', subject: issuer, detail });
    return { ...toProvider(row), hasSecret: secret !== null };
  });
}

/** The provider as a change would leave it. @param before null: there is none. @throws OperationError `usage` */
export function planProvider(
  org: string,
  before: OrgProvider | null,
  change: ProviderChange,
): Pick<OrgProvider, 'issuer' | 'clientId' | 'options'> {
  const issuer = change.issuer ?? before?.issuer;
  const clientId = change.clientId ?? before?.clientId;
  if (issuer === undefined || clientId === undefined)
    throw new OperationError('usage', `${org} has no provider: name one with --issuer and --client-id`);
  const options = readOptions(change, before?.options ?? providerDefaults);
  checkIssuer(issuer, options);
  if (!/^[\x20-\x7e]{1,500}$/.test(clientId)) throw new OperationError('usage', 'the client id is unusable');
  return { issuer, clientId, options };
}

/** @throws OperationError `not_found` */
export async function showProvider(workplace: Workplace, id: string): Promise<ShownProvider> {
  const { id: org } = await workplace.org(id);
  const found = await findOrgProvider(workplace.control.read, { org });
  if (found === null) throw noProvider(org);
  return { ...toProvider(found), hasSecret: found.secret !== null };
}

/** That of the server first. */
export async function listProviders(workplace: Workplace): Promise<ShownProvider[]> {
  const common = providerOfServer(workplace);
  const hasSecret = workplace.settings.oidc?.clientSecretFile !== undefined;
  const others = await listOrgProviders(workplace.control.read);
  return [
    ...(common === null ? [] : [{ ...common, hasSecret }]),
    ...others.map((one) => ({ ...toProvider(one), hasSecret: one.secret !== null })),
  ];
}

/** Its people need a password from now on; those without one need an invitation. @throws OperationError `not_found` */
export async function removeProvider(workplace: Workplace, id: string): Promise<string> {
  const { id: org } = await workplace.org(id);
  const { control, actor, now } = workplace;
  return control.transact(async (tx) => {
    await lockOrg(tx, org, true);
    const found = await findOrgProvider(tx, { org });
    if (found === null || !(await deleteOrgProvider(tx, org))) throw noProvider(org);
    const { issuer } = found;
    await recordAudit(tx, { at: now(), org, actor, action: 'provider.removed', subject: issuer, detail: {} });
    return issuer;
  });
}

function noProvider(org: string): OperationError {
  return new OperationError('not_found', `${org} has no provider; see "dropslot console set-provider --help"`);
}

/** @throws OperationError `usage` */
function readOptions(change: ProviderChange, before: OrgProviderOptions): OrgProviderOptions {
  const read = (value: string | undefined, old: string, isRight: (text: string) => boolean, takes: string) => {
    if (value !== undefined && !isRight(value))
      throw new OperationError('usage', `"${value.slice(0, 200)}" is not ${takes}`);
    return value ?? old;
  };
  const options: OrgProviderOptions = {
    label: read(change.label, before.label, isLabel, 'a label of 1 to 60 characters'),
    scopes: read(change.scopes, before.scopes, isScopes, 'a list of scopes with openid, such as "openid email"'),
    emailClaim: read(change.emailClaim, before.emailClaim, isClaim, 'the name of a claim'),
    verifiedClaim: read(change.verifiedClaim, before.verifiedClaim, isClaim, 'the name of a claim'),
    domains: change.domains === undefined ? before.domains : readDomains(change.domains),
    newAccounts: change.newAccounts === undefined ? before.newAccounts : readRole(change.newAccounts),
    passwordSignIn: read(change.passwordSignIn, before.passwordSignIn ? 'on' : 'off', isSwitch, 'on or off') === 'on',
    allowHttp: change.allowHttp ?? before.allowHttp,
    allowPrivate: change.allowPrivate ?? before.allowPrivate,
  };
  if (options.newAccounts !== null && options.domains.length === 0)
    throw new OperationError('usage', 'new accounts need --domains: the domains of the addresses that get an account');
  return options;
}

const isSwitch = (text: string) => text === 'on' || text === 'off';

function readDomains(text: string): string[] {
  const domains = text.split(',').flatMap((part) => part.trim().toLowerCase() || []);
  const wrong = domains.find((domain) => !isDomain(domain));
  if (wrong !== undefined) throw new OperationError('usage', `"${wrong}" is no domain, such as acme.example`);
  if (domains.length > 100) throw new OperationError('usage', 'a provider has at most 100 domains');
  return domains;
}

function readRole(word: string): (typeof orgRoles)[number] | null {
  if (word === 'no') return null;
  const role = orgRoles.find((one) => one === word);
  if (role === undefined) throw unknownWord(`unknown role "${word}"`, word, ['no', ...orgRoles]);
  return role;
}

/** @throws OperationError `usage` */
function checkIssuer(issuer: string, { allowHttp, allowPrivate }: OrgProviderOptions): void {
  if (!isIssuer(issuer))
    throw new OperationError('usage', `"${issuer.slice(0, 200)}" is not the https:// URL of a provider`);
  const { protocol, hostname } = new URL(issuer);
  if (protocol === 'http:' && !allowHttp)
    throw new OperationError('usage', 'the issuer must begin with https://; --allow-http accepts http://');
  if (!allowPrivate && (isPrivateHost(hostname) || /(^|\.)localhost\.?$/.test(hostname)))
    throw new OperationError('usage', `${hostname} is a private address; --allow-private accepts it`);
}
