/** Host keys as operators, customers and their clients read them. */
import { drawHostKey, knownHostsLine, md5Of, sshfpLine } from '../../keys/host/display.js';
import type { HostKey } from '../../keys/host/hostkeys.js';
import { formatTime, isoTime } from '../../operations/format.js';
import type { ListView } from '../output.js';

export const hostKeyFormats = ['table', 'md5', 'visual', 'known_hosts', 'sshfp'] as const;

export type HostKeyFormat = (typeof hostKeyFormats)[number];

/** Where clients reach the server. */
export interface Place {
  host: string;
  port: number;
}

export const hostKeyList: ListView<HostKey> = {
  columns: [
    { title: 'FINGERPRINT', cell: (key) => key.fingerprint },
    { title: 'TYPE', cell: (key) => key.type },
    { title: 'STATE', cell: (key) => key.state },
    { title: 'SINCE', cell: (key) => formatTime(key.since) },
  ],
  empty: 'There are no host keys: the first "dropslot serve" makes them.',
  toJson: (key) => hostKeyToJson(key, null),
};

/** Never the private key. `place` null: without the lines that name the server. */
export function hostKeyToJson(key: HostKey, place: Place | null): Record<string, unknown> {
  const { type, state, fingerprint, publicKey, file, since } = key;
  const named = place !== null && {
    knownHosts: knownHostsLine(key, place.host, place.port),
    sshfp: sshfpLine(key, place.host),
  };
  return {
    type,
    state,
    fingerprint,
    md5: md5Of(key),
    visual: drawHostKey(key).split('\n'),
    publicKey,
    file,
    since: isoTime(since),
    ...named,
  };
}

/** One line for each key, or one picture. */
export function renderHostKeys(keys: readonly HostKey[], format: HostKeyFormat, { host, port }: Place): string {
  const lines: Record<HostKeyFormat, (key: HostKey) => string> = {
    table: (key) => key.fingerprint,
    md5: (key) => `${md5Of(key)} ${key.type} ${key.state}`,
    visual: (key) => `${key.fingerprint} ${key.type} ${key.state}\n${drawHostKey(key)}`,
    known_hosts: (key) => knownHostsLine(key, host, port),
    sshfp: (key) => sshfpLine(key, host),
  };
  return keys.map(lines[format]).join('\n');
}
