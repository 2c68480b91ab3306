/** Open sessions, for people and as JSON. */

import { formatBytes, formatTime } from '../../operations/format.js';
import { sessionToJson } from '../../operations/forms/sessions.js';
import type { EndedSessions, ListedSession } from '../../operations/sessions.js';
import type { ListView } from '../output.js';

export const sessionList: ListView<ListedSession> = {
  columns: [
    { title: 'SESSION', cell: ({ id }) => id, whole: true },
    { title: 'ORGANIZATION', cell: ({ org }) => org, whole: true },
    { title: 'KEY', cell: ({ fingerprint }) => fingerprint ?? '–', shortensTo: 15 },
    { title: 'FROM', cell: ({ address }) => address ?? '–' },
    { title: 'CLIENT', cell: ({ client }) => client },
    { title: 'SINCE', cell: ({ startedAt }) => formatTime(startedAt) },
    { title: 'FILES', cell: ({ filesReceived, filesSent }) => `${filesReceived} in, ${filesSent} out` },
    {
      title: 'BYTES',
      cell: ({ bytesReceived, bytesSent }) => `${formatBytes(bytesReceived)} in, ${formatBytes(bytesSent)} out`,
    },
    { title: 'NOW', cell: describeTransfer },
  ],
  empty: 'No session is open.',
  toJson: sessionToJson,
};

function describeTransfer({ openFiles, openBytes, bytesPerSecond, isEnding }: ListedSession): string {
  if (isEnding) return 'ending';
  if (openFiles === 0) return '–';
  return `${openFiles} ${openFiles === 1 ? 'file' : 'files'}, ${formatBytes(openBytes)}, ${formatBytes(bytesPerSecond)}/s`;
}

export function renderEnded({ ended }: EndedSessions): string {
  if (ended.length === 0) return 'No session was ended.';
  const lines = ended.map(
    ({ id, org, address }) => `Ended session ${id} of ${org}${address === null ? '' : ` from ${address}`}.`,
  );
  const hint =
    'A key that is still valid may log in again: to prevent that, use "dropslot keys revoke" or "dropslot orgs disable".';
  return [...lines, hint].join('\n');
}
