/** Open sessions as JSON. The command line and the API give the same. */
import { isoTime } from '../format.js';
import type { EndedSessions, ListedSession } from '../sessions.js';

export function sessionToJson(session: ListedSession) {
  const { id, org, fingerprint, address, client, startedAt, server, isEnding } = session;
  const { filesReceived, filesSent, bytesReceived, bytesSent, openFiles, openBytes, bytesPerSecond } = session;
  return {
    session: id,
    org,
    keyFingerprint: fingerprint,
    address,
    client,
    server,
    startedAt: isoTime(startedAt),
    filesReceived,
    filesSent,
    bytesReceived,
    bytesSent,
    transfer: { files: openFiles, bytes: openBytes, bytesPerSecond },
    isEnding,
  };
}

export function endedToJson({ ended, waiting }: EndedSessions) {
  return { ended: ended.map(({ id }) => id), waiting: waiting.map(({ id }) => id) };
}
