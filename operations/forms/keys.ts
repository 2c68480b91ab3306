/** Login keys, OpenPGP keys and access tokens as JSON, without their secrets. The command line and the API give the same. */
import type { LoginAttempt } from '../connections.js';
import { isoTime } from '../format.js';
import type { AddedKey, LoginKeyView } from '../loginkeys.js';
import type { PgpKeyView } from '../pgp.js';
import { stateOfToken, type Token } from '../tokens.js';

export function keyToJson({ replacedAt, ...key }: LoginKeyView) {
  return {
    ...key,
    notBefore: isoTime(key.notBefore),
    expiresAt: isoTime(key.expiresAt),
    replacedAt: isoTime(replacedAt),
    createdAt: isoTime(key.createdAt),
    revokedAt: isoTime(key.revokedAt),
    firstUsedAt: isoTime(key.firstUsedAt),
    lastUsedAt: isoTime(key.lastUsedAt),
  };
}

/** `accepted` with the reason of a refusal; `key` null: a key that the organization does not have. */
export function attemptToJson({ org, at, reason, fingerprint, credential, address, client }: LoginAttempt) {
  return { org, at: isoTime(at), accepted: reason === null, reason, fingerprint, key: credential, address, client };
}

export function addedToJson(key: AddedKey) {
  return {
    ...key,
    notBefore: isoTime(key.notBefore ?? null),
    expiresAt: isoTime(key.expiresAt),
    createdAt: isoTime(key.createdAt),
  };
}

/** @param now in ms */
export function tokenToJson(token: Token, now: number) {
  return {
    ...token,
    state: stateOfToken(token, now),
    createdAt: isoTime(token.createdAt),
    expiresAt: isoTime(token.expiresAt),
    revokedAt: isoTime(token.revokedAt),
    lastUsedAt: isoTime(token.lastUsedAt),
  };
}

export function pgpKeyToJson(key: PgpKeyView) {
  return {
    ...key,
    createdAt: isoTime(key.createdAt),
    expiresAt: isoTime(key.expiresAt),
    revokedAt: isoTime(key.revokedAt),
  };
}
