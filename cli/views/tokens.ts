/** Access tokens of the HTTP API, for people and as JSON; never with their hashes. */

import { formatTime } from '../../operations/format.js';
import { tokenToJson } from '../../operations/forms/keys.js';
import { stateOfToken, type Token } from '../../operations/tokens.js';
import type { ListView } from '../output.js';

/** @param now in ms */
export function tokenList(now: number): ListView<Token> {
  return {
    columns: [
      { title: 'TOKEN', cell: (token) => token.id, whole: true },
      { title: 'NAME', cell: (token) => token.name },
      { title: 'ORGANIZATION', cell: (token) => token.org ?? 'all' },
      { title: 'SCOPE', cell: (token) => token.scope },
      { title: 'STATE', cell: (token) => stateOfToken(token, now) },
      { title: 'EXPIRES', cell: (token) => formatTime(token.expiresAt) },
      {
        title: 'LAST USED',
        cell: (token) => [formatTime(token.lastUsedAt), token.lastUsedFrom ?? ''].join(' ').trim(),
      },
    ],
    empty: 'No tokens yet: add one with "dropslot tokens add".',
    toJson: (token) => tokenToJson(token, now),
  };
}
