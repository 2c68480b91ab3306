/** People of the web console: invite, list, change the role, remove. */
import { createHash, randomBytes } from 'node:crypto';
import {
  type Account,
  countAccounts,
  deleteAccount,
  findAccount,
  insertAccount,
  listAccounts,
  lockAccount,
  lockAccountAndOwners,
  type NewAccount,
  putInvitation,
  type Role,
  setAccountRole,
} from '../../db/control/accounts.js';
import { recordAudit } from '../../db/control/audit.js';
import { emailKey, isEmail } from '../../importer/read/normalize.js';
import { OperationError } from '../error.js';
import { unknownWord } from '../unknownword.js';
import type { Workplace } from '../workplace.js';
import { orgRoles, serverRoles } from './rights.js';

const mostAccounts = 10_000;
/** So that one organization leaves room for the others. */
const mostOfOrg = 200;
const invitationMs = 3 * 86_400_000;

export interface Invited {
  account: Account;
  /** The secret part of the link; it can't be shown again. */
  code: string;
  expiresAt: number;
}

/**
 * Adds an account, or gives an existing one a new invitation: its password and second factor work until the invitation is used.
 * @param wanted `org`: an organization's role (admin, viewer); undefined: a role of the server
 * @throws OperationError `usage`, `not_found`, `refused`
 */
export async function inviteAccount(
  workplace: Workplace,
  wanted: { email: string; role: string; org?: string | undefined },
): Promise<Invited> {
  const { control, actor, now } = workplace;
  const email = wanted.email.trim();
  if (!isEmail(email)) throw new OperationError('usage', `"${email}" is no email address`);
  const org = wanted.org === undefined ? null : (await workplace.org(wanted.org)).id;
  const role = readRole(wanted.role, org);
  const at = now();
  const code = randomBytes(32).toString('base64url');
  const expiresAt = at + invitationMs;
  const account = await control.transact(async (tx) => {
    const known = await lockAccount(tx, { emailKey: emailKey(email) });
    if (known !== null && (known.role !== role || known.org !== org)) throw takenAddress(email);
    const id = known?.id ?? newAccountId();
    if (known === null) await addAccount(tx, { id, email, role, org, createdBy: actor, createdAt: at });
    await putInvitation(tx, { account: id, hash: hashCode(code), createdBy: actor, createdAt: at, expiresAt });
    const detail = { role, expiresAt: new Date(expiresAt).toISOString() };
    await recordAudit(tx, { at, org, actor, action: 'account.invited', subject: email, detail });
    return withoutSecrets((await findAccount(tx, { id }))!);
  });
  return { account, code, expiresAt };
}

export function newAccountId(): string {
  return `acc_${randomBytes(8).toString('hex')}`;
}

/** @throws OperationError `refused` where there are too many */
export async function addAccount(
  tx: Parameters<typeof insertAccount>[0],
  account: Omit<NewAccount, 'emailKey'>,
): Promise<void> {
  const { email, org } = account;
  if ((await countAccounts(tx)) >= mostAccounts)
    throw new OperationError('refused', `there are ${mostAccounts} accounts: remove those that are not used`);
  if (org !== null && (await countAccounts(tx, org)) >= mostOfOrg)
    throw new OperationError('refused', `${org} has ${mostOfOrg} accounts: remove those that are not used`);
  await insertAccount(tx, { ...account, emailKey: emailKey(email) });
}

/** Its account may be of another organization, so that this one learns no more than that the address is taken. */
function takenAddress(email: string): OperationError {
  return new OperationError('refused', `${email} can't be invited: the address has an account in another role`);
}

/** In the order of their addresses. @param org undefined: of the server and of all organizations; null: of the server */
export async function listPeople(workplace: Workplace, org?: string | null): Promise<Account[]> {
  return listAccounts(workplace.control.read, typeof org === 'string' ? (await workplace.org(org)).id : org);
}

/** The account with this address, in one organization (or in the server: null). undefined: in any. @throws OperationError `not_found` */
export async function findPerson(workplace: Workplace, email: string, org?: string | null): Promise<Account> {
  const found = await findAccount(workplace.control.read, { emailKey: emailKey(email.trim()) });
  if (found === null || (org !== undefined && found.org !== org))
    throw new OperationError('not_found', `no account has the address ${email.trim()}`);
  return withoutSecrets(found);
}

/** Its sessions end at once. @throws OperationError `not_found`; `refused` for the only owner */
export async function removePerson(workplace: Workplace, email: string, org?: string | null): Promise<Account> {
  const { id } = await findPerson(workplace, email, org);
  const { control, actor, now } = workplace;
  return control.transact(async (tx) => {
    const account = await lockPerson(tx, id, { staysOwner: false });
    await deleteAccount(tx, id);
    const event = { at: now(), org: account.org, actor, action: 'account.removed', subject: account.email };
    await recordAudit(tx, { ...event, detail: { role: account.role } });
    return account;
  });
}

/** Applies from the person's next request. @throws OperationError `usage`, `not_found`; `refused` for the only owner */
export async function changeRole(
  workplace: Workplace,
  email: string,
  wanted: string,
  org?: string | null,
): Promise<Account> {
  const { id, org: of } = await findPerson(workplace, email, org);
  const role = readRole(wanted, of);
  const { control, actor, now } = workplace;
  return control.transact(async (tx) => {
    const account = await lockPerson(tx, id, { staysOwner: role === 'owner' });
    await setAccountRole(tx, id, role);
    const event = { at: now(), org: account.org, actor, action: 'account.changed', subject: account.email };
    await recordAudit(tx, { ...event, detail: { before: account.role, after: role } });
    return { ...account, role };
  });
}

/**
 * The account as it is until the transaction ends. A server without an owner could be managed by its shell alone.
 * @throws OperationError `not_found` when it was removed meanwhile; `refused` for the only owner, unless it stays one
 */
async function lockPerson(
  tx: Parameters<typeof lockAccountAndOwners>[0],
  id: string,
  { staysOwner }: { staysOwner: boolean },
): Promise<Account> {
  const locked = await lockAccountAndOwners(tx, id);
  const account = locked.find((one) => one.id === id);
  if (account === undefined) throw new OperationError('not_found', 'the account was removed meanwhile');
  const others = locked.filter((one) => one.id !== id && one.role === 'owner' && one.isSet);
  if (account.role === 'owner' && account.isSet && !staysOwner && others.length === 0)
    throw new OperationError('refused', `${account.email} is the only owner: make another person an owner first`);
  return account;
}

/** @throws OperationError `usage` */
function readRole(word: string, org: string | null): Role {
  const known: readonly Role[] = org === null ? serverRoles : orgRoles;
  const role = known.find((one) => one === word);
  if (role !== undefined) return role;
  const other = (org === null ? orgRoles : serverRoles).some((one) => one === word);
  if (other && org === null)
    throw new OperationError('usage', `the role ${word} is of one organization: name it with --org`);
  if (other)
    throw new OperationError(
      'usage',
      `the role ${word} is of the whole server: an organization has ${known.join(', ')}`,
    );
  throw unknownWord(`unknown role "${word}"`, word, known);
}

/** The code has 256 random bits: a plain hash can't be guessed back, and needs no salt. */
export function hashCode(code: string): string {
  return createHash('sha256').update(code).digest('hex');
}

export function withoutSecrets(account: Account): Account {
  const { id, email, role, org, isSet, hasPassword, createdBy, createdAt, signedInAt } = account;
  return { id, email, role, org, isSet, hasPassword, createdBy, createdAt, signedInAt };
}
