/** Which account a person of an identity provider gets: the one that was invited, and no other; and what an invitation replaces. */

import type { Queryable } from '../../db/connection.js';
import { deleteBrowsers } from '../../db/control/accountbrowsers.js';
import { deletePasskeys } from '../../db/control/accountpasskeys.js';
import {
  type Account,
  deleteInvitationOf,
  type FullAccount,
  findAccount,
  findInvitation,
  findInvitationOf,
  type Identity,
  listAccountsOf,
  lockAccount,
  setAccountIdentity,
  setAccountSecrets,
} from '../../db/control/accounts.js';
import { deleteSessions } from '../../db/control/accountsessions.js';
import { recordAudit } from '../../db/control/audit.js';
import { emailKey, isEmail } from '../../importer/read/normalize.js';
import type { Workplace } from '../workplace.js';
import { actorOf } from './credentials.js';
import type { ProvenIdentity } from './openid.js';
import { addAccount, newAccountId, withoutSecrets } from './people.js';
import { type Provider, providerOf } from './provider.js';
import { type Begun, beginSession, type Client } from './sessions.js';

/**
 * `unverified`: the provider does not vouch for the address; `domain`: of another domain; `unknown`: no account, or none that
 * signs in here; `other`: the account belongs to another person of the provider; `invitation`: it is for another address.
 */
export type ProviderRefusal = 'unverified' | 'domain' | 'unknown' | 'other' | 'invitation';

/** @throws OperationError `refused` where a new account would be one too many */
export async function enterByProvider(
  workplace: Workplace,
  provider: Provider,
  proven: ProvenIdentity,
  client: Client,
): Promise<Begun | ProviderRefusal> {
  const { email, isVerified, authenticatedAt } = proven;
  // Letters beyond ASCII could be folded into the address of another person.
  if (email === null || !isVerified || !isEmail(email) || !/^[\x21-\x7e]+$/.test(email)) return 'unverified';
  if (!isOfDomain(email, provider.domains)) return 'domain';
  const found = await findOrBind(workplace, provider, { ...proven, email });
  if (typeof found === 'string') return found;
  const proof = { method: 'provider', factor: provider.issuer, at: authenticatedAt } as const;
  const identity = { issuer: provider.issuer, subject: proven.subject };
  const secret = await beginSession(workplace, found, client, proof, (now) => isOf(now, identity));
  return secret === null ? 'unknown' : { account: found, secret };
}

function isOf({ identity }: FullAccount, { issuer, subject }: Identity): boolean {
  return identity?.issuer === issuer && identity.subject === subject;
}

function isOfDomain(email: string, domains: readonly string[]): boolean {
  const domain = email.slice(email.lastIndexOf('@') + 1).toLowerCase();
  return domains.length === 0 || domains.some((one) => one.toLowerCase() === domain);
}

type Proven = ProvenIdentity & { email: string };

async function findOrBind(
  workplace: Workplace,
  provider: Provider,
  proven: Proven,
): Promise<Account | ProviderRefusal> {
  const identity = { issuer: provider.issuer, subject: proven.subject };
  const belongs = async ({ org }: Pick<Account, 'org'>) => (await providerOf(workplace, { org }))?.key === provider.key;
  // Read before the transaction: on SQLite a second connection would wait for it.
  const own: string[] = [];
  for (const one of await listAccountsOf(workplace.control.read, identity)) if (await belongs(one)) own.push(one.id);
  const byEmail = await findAccount(workplace.control.read, { emailKey: emailKey(proven.email) });
  const isOfProvider = byEmail !== null && (await belongs(byEmail));
  if (byEmail !== null && !isOfProvider && own.length === 0) return 'unknown';
  return workplace.control.transact(async (tx): Promise<Account | ProviderRefusal> => {
    const known = own[0] === undefined ? null : await lockAccount(tx, { id: own[0] });
    const account = known ?? (await lockAccount(tx, { emailKey: emailKey(proven.email) }));
    if (account === null) return proven.invitation === null ? addNew(tx, workplace, provider, proven) : 'invitation';
    if (account.id !== known?.id && account.id !== byEmail?.id) return 'unknown';
    return bind(tx, workplace, account, identity, proven);
  });
}

/** Whether the account is that of the person; by an invitation it becomes so, and by the verified address the first time. */
async function bind(
  tx: Queryable,
  workplace: Workplace,
  account: FullAccount,
  identity: Identity,
  { invitation: begunBy }: Proven,
): Promise<Account | ProviderRefusal> {
  const invitation = await findInvitationOf(tx, account.id);
  const isInvited = invitation !== null && invitation.expiresAt > workplace.now();
  if (begunBy !== null && (await findInvitation(tx, begunBy))?.account !== account.id) return 'invitation';
  const isOwn = isOf(account, identity);
  const isOther = account.identity?.issuer === identity.issuer && !isOwn;
  const isAccepting = isInvited && (begunBy !== null || isOther || !account.isSet);
  if (!isAccepting && (begunBy !== null || !account.isSet)) return 'unknown';
  if (!isAccepting && isOther) return 'other';
  if (isAccepting) await replaceCredentials(tx, account.id);
  if (isAccepting || !isOwn) {
    await setAccountIdentity(tx, account.id, identity);
    const event = { at: workplace.now(), org: account.org, actor: actorOf(account), action: 'account.set' };
    await recordAudit(tx, { ...event, subject: account.email, detail: { issuer: identity.issuer } });
  }
  return withoutSecrets((await findAccount(tx, { id: account.id }))!);
}

/** An invitation replaces every way in that the account had. */
async function replaceCredentials(tx: Queryable, id: string): Promise<void> {
  await deleteInvitationOf(tx, id);
  await setAccountSecrets(tx, id, { password: null, totp: null, recovery: [] });
  await deletePasskeys(tx, id);
  await deleteBrowsers(tx, id);
  await deleteSessions(tx, id);
}

async function addNew(
  tx: Queryable,
  { now }: Workplace,
  { newAccounts: role, org, issuer }: Provider,
  { email, subject }: Proven,
): Promise<Account | ProviderRefusal> {
  if (role === null) return 'unknown';
  const at = now();
  const id = newAccountId();
  const actor = actorOf({ email });
  await addAccount(tx, { id, email, role, org, createdBy: actor, createdAt: at });
  await setAccountIdentity(tx, id, { issuer, subject });
  await recordAudit(tx, { at, org, actor, action: 'account.added', subject: email, detail: { role, issuer } });
  return withoutSecrets((await findAccount(tx, { id }))!);
}
