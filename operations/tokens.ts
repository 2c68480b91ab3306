/** Access tokens of the HTTP API: made, listed, revoked, and recognized in a request. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Queryable } from '../db/connection.js';
import { recordAudit } from '../db/control/audit.js';
import {
  countTokens,
  findToken,
  findTokenByHash,
  insertToken,
  listTokens,
  lockToken,
  noteTokenUse,
  revokeToken,
  type Token,
  type TokenScope,
  tokenScopes,
} from '../db/control/tokens.js';
import { OperationError } from './error.js';
import { readExpiry } from './keyterms.js';
import { unknownWord } from './unknownword.js';
import type { Workplace } from './workplace.js';

export { type Token, type TokenScope, tokenScopes };

export type TokenState = 'usable' | 'expired' | 'revoked';

export interface WantedToken {
  name: string;
  /** undefined: all organizations. */
  org?: string | undefined;
  scope: string;
  /** A date, whose end in the organization's time zone (else UTC) it is, or a time; undefined: never. */
  expires?: string | undefined;
  /** The token that asks for it, which it never outlives; undefined: a person does. */
  maker?: Pick<Token, 'id' | 'expiresAt'> | undefined;
}

export interface AddedToken extends Token {
  /** `dst_…`; it can't be shown again. */
  secret: string;
}

const everyOrg = { id: null, timeZone: 'utc' };
const mostTokens = 1_000;
/** Those of an organization that its own tokens may bring about, so that one organization leaves room for the others. */
const mostOfOrg = { usable: 100, ever: 5_000 };
const mostName = 100;
/** The last use is written at most once in this time, so that requests do not cause writes. */
const useEveryMs = 60_000;

/** @throws OperationError `usage`, `not_found`, `refused` */
export async function addToken(workplace: Workplace, wanted: WantedToken): Promise<AddedToken> {
  const { control, actor, now } = workplace;
  const name = wanted.name.trim();
  if (name === '' || name.length > mostName || /\p{C}/u.test(name))
    throw new OperationError('usage', `--name takes 1 to ${mostName} characters without control characters`);
  const scope = tokenScopes.find((one) => one === wanted.scope);
  if (scope === undefined) throw unknownWord(`unknown scope "${wanted.scope}"`, wanted.scope, tokenScopes);
  const { id: org, timeZone } = wanted.org === undefined ? everyOrg : await workplace.org(wanted.org);
  const at = now();
  const asked = wanted.expires === undefined ? null : readExpiry(wanted.expires.trim(), timeZone, at, 'token');
  const expiresAt = withinMaker(asked, wanted.maker);
  const secret = `dst_${randomBytes(32).toString('base64url')}`;
  const id = `tok_${randomBytes(8).toString('hex')}`;
  const token = { id, name, org, scope, createdBy: actor, createdAt: at, expiresAt };
  await control.transact(async (tx) => {
    const maker = wanted.maker && (await lockToken(tx, wanted.maker.id));
    if (maker === null || (maker !== undefined && stateOfToken(maker, at) !== 'usable'))
      throw new OperationError('refused', 'the token that asks for it was revoked or has expired');
    if (workplace.isOfOrg === true && org !== null) await requireRoom(tx, org, at);
    if ((await countTokens(tx, { usableAt: at })) >= mostTokens)
      throw new OperationError('refused', `there are ${mostTokens} usable tokens: revoke those that nothing uses`);
    await insertToken(tx, { ...token, hash: hashOf(secret) });
    const detail = { name, scope, expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString() };
    await recordAudit(tx, { at, org, actor, action: 'token.added', subject: id, detail });
  });
  return { ...token, revokedAt: null, lastUsedAt: null, lastUsedFrom: null, secret };
}

/** @throws OperationError `refused` */
async function requireRoom(tx: Queryable, org: string, at: number): Promise<void> {
  if ((await countTokens(tx, { org, usableAt: at })) >= mostOfOrg.usable)
    throw new OperationError('refused', `${org} has ${mostOfOrg.usable} usable tokens: revoke those that nothing uses`);
  if ((await countTokens(tx, { org })) >= mostOfOrg.ever)
    throw new OperationError(
      'refused',
      `${org} has had ${mostOfOrg.ever} tokens, the most that it may make: ask your operator for another one`,
    );
}

/** A token that nothing is asked for ends with its maker. @throws OperationError `refused` */
function withinMaker(asked: number | null, maker: WantedToken['maker']): number | null {
  const last = maker?.expiresAt ?? null;
  if (last === null) return asked;
  if (asked !== null && asked > last)
    throw new OperationError(
      'refused',
      `a token makes none that outlives it: this one expires at ${new Date(last).toISOString()}`,
    );
  return asked ?? last;
}

/** @param org of which they are; undefined: of all and of the server */
export function listAllTokens({ control }: Pick<Workplace, 'control'>, org?: string): Promise<Token[]> {
  return listTokens(control.read, org);
}

/** @param org of which it must be; undefined: any. @throws OperationError `not_found` */
export async function showToken({ control }: Pick<Workplace, 'control'>, id: string, org?: string): Promise<Token> {
  const token = await findToken(control.read, id);
  if (token === null || (org !== undefined && token.org !== org))
    throw new OperationError('not_found', `no token "${id}"; see "dropslot tokens list"`);
  return token;
}

/**
 * From now on no request with it is answered.
 * @param org of which it must be; undefined: any
 * @throws OperationError `not_found`; `refused` when it is revoked already
 */
export async function revokeTokenById(workplace: Workplace, id: string, org?: string): Promise<Token> {
  const token = await showToken(workplace, id, org);
  const { control, actor, now } = workplace;
  const at = now();
  await control.transact(async (tx) => {
    if (!(await revokeToken(tx, id, at))) throw new OperationError('refused', `the token ${id} is revoked already`);
    const event = { at, org: token.org, actor, action: 'token.revoked', subject: id };
    await recordAudit(tx, { ...event, detail: { name: token.name } });
  });
  return { ...token, revokedAt: at };
}

export function stateOfToken({ revokedAt, expiresAt }: Token, now: number): TokenState {
  if (revokedAt !== null) return 'revoked';
  return expiresAt !== null && expiresAt <= now ? 'expired' : 'usable';
}

/**
 * The token that a request carries, read anew each time, so that a revoked one ends at once. null: it is not a usable token.
 * Found by its hash, and the hashes are compared in constant time: no answer's time depends on how much of a guess is right.
 */
export async function recognizeToken(
  { control, now }: Pick<Workplace, 'control' | 'now'>,
  secret: string,
  from: string | null,
): Promise<Token | null> {
  if (!/^dst_[\w-]{43}$/.test(secret)) return null;
  const hash = hashOf(secret);
  const found = await findTokenByHash(control.read, hash);
  if (found === null || !timingSafeEqual(Buffer.from(found.hash), Buffer.from(hash))) return null;
  const { hash: _hash, ...token } = found;
  const at = now();
  if (stateOfToken(token, at) !== 'usable') return null;
  // On a full disk the state can still be read, which is when it is needed.
  if (at - (token.lastUsedAt ?? 0) >= useEveryMs) await noteTokenUse(control.write, token.id, at, from).catch(() => {});
  return token;
}

/** Whether it is usable still, for requests that take long. */
export async function isTokenUsable(db: Queryable, id: string, now: number): Promise<boolean> {
  const token = await findToken(db, id);
  return token !== null && stateOfToken(token, now) === 'usable';
}

/** The token has 256 random bits: a plain hash can't be guessed back, and needs no salt. */
function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
