/** Login keys, for people and as JSON. */

import type { LoginAttempt } from '../../operations/connections.js';
import { escapeControl, formatTime } from '../../operations/format.js';
import { attemptToJson, keyToJson } from '../../operations/forms/keys.js';
import type { LoginKeyView } from '../../operations/loginkeys.js';
import { type ListView, renderRecord } from '../output.js';

export function keyList(org: string): ListView<LoginKeyView> {
  return {
    columns: [
      { title: 'FINGERPRINT', cell: (key) => key.fingerprint, shortensTo: 15 },
      { title: 'TYPE', cell: (key) => describeType(key).replace(/ssh-/, '') },
      { title: 'LABEL', cell: (key) => key.label },
      { title: 'STATE', cell: describeState },
      { title: 'MAY', cell: (key) => describePermission(key.permission) },
      { title: 'EXPIRES', cell: (key) => formatTime(key.expiresAt) },
      { title: 'FROM', cell: (key) => key.sources.join(' ') || 'any' },
      { title: 'LAST USED', cell: (key) => [formatTime(key.lastUsedAt), key.lastUsedFrom ?? ''].join(' ').trim() },
    ],
    empty: `${org} has no keys: add one with "dropslot keys add ${org} FILE".`,
    toJson: keyToJson,
  };
}

export function connectionList(org: string): ListView<LoginAttempt> {
  return {
    columns: [
      { title: 'TIME', cell: ({ at }) => formatTime(at) },
      { title: 'RESULT', cell: ({ reason }) => (reason === null ? 'logged in' : `refused: ${reason}`) },
      { title: 'ADDRESS', cell: ({ address }) => address ?? '' },
      { title: 'CLIENT', cell: ({ client }) => escapeControl(client ?? ''), shortensTo: 15 },
      { title: 'KEY', cell: ({ fingerprint }) => fingerprint, shortensTo: 15 },
      { title: 'KNOWN', cell: ({ credential }) => (credential === null ? 'no' : 'yes') },
    ],
    empty: `no client has tried to log in as ${org} yet.`,
    toJson: attemptToJson,
  };
}

export function renderKey(key: LoginKeyView): string {
  return renderRecord([
    ['Fingerprint', key.fingerprint],
    ['Type', describeType(key)],
    ['Label', key.label || null],
    ['Note', key.note || null],
    ['State', describeState(key)],
    ['May', describePermission(key.permission)],
    ['SHA-1', key.allowsSha1 ? 'allowed, on a compatible port' : null],
    ['From', key.sources.join(', ') || 'anywhere'],
    ['Principals', key.kind === 'ca' ? (key.principals?.join(', ') ?? key.org) : null],
    ['Added', formatTime(key.createdAt)],
    ['Valid from', key.notBefore === null ? null : formatTime(key.notBefore)],
    ['Expires', key.expiresAt === null ? null : formatTime(key.expiresAt)],
    ['File', key.managedBy],
    ['Added by', key.addedBy],
    ['Replaced by', key.replacedBy],
    ['Revoked', key.revokedAt === null ? null : `${formatTime(key.revokedAt)}, by a ${key.revokedBy ?? 'command'}`],
    ['First used', formatTime(key.firstUsedAt)],
    ['Last used', formatTime(key.lastUsedAt)],
    ['Last from', key.lastUsedFrom],
    ['Last client', key.lastUsedClient],
    ['Algorithms', key.lastUsedAlgorithms],
  ]);
}

function describePermission(permission: LoginKeyView['permission']): string {
  return permission === 'upload' ? 'upload' : 'upload, read';
}

function describeType({ kind, algorithm }: LoginKeyView): string {
  if (kind === 'password') return 'password';
  return kind === 'ca' ? `authority ${algorithm}` : algorithm;
}

function describeState({ state, replacedBy, managedBy }: LoginKeyView): string {
  const marks = [state === 'usable' && replacedBy !== null ? 'replaced' : '', managedBy === null ? '' : 'file'];
  const words = marks.filter((mark) => mark !== '');
  return words.length === 0 ? state : `${state} (${words.join(', ')})`;
}
