/** Host keys in the forms that operators, customers and SSH clients read. */

import { formatTime } from '../../operations/format.js';
import { hostKeyToJson } from '../../operations/forms/server.js';
import type { HostKeyView } from '../../operations/hostkeys.js';
import type { ListView } from '../output.js';

export const hostKeyFormats = ['table', 'md5', 'visual', 'known_hosts', 'sshfp'] as const;

export type HostKeyFormat = (typeof hostKeyFormats)[number];

export const hostKeyList: ListView<HostKeyView> = {
  columns: [
    { title: 'FINGERPRINT', cell: (key) => key.fingerprint, whole: true },
    { title: 'TYPE', cell: (key) => key.type },
    { title: 'STATE', cell: (key) => key.state },
    { title: 'SINCE', cell: (key) => formatTime(key.since) },
  ],
  empty: 'No host keys yet: the first "dropslot serve" makes them.',
  toJson: hostKeyToJson,
};

/** One line for each key, or one picture. */
const renderers: Readonly<Record<HostKeyFormat, (key: HostKeyView) => string | undefined>> = {
  table: (key) => key.fingerprint,
  md5: (key) => `${key.md5} ${key.type} ${key.state}`,
  visual: (key) => `${key.fingerprint} ${key.type} ${key.state}\n${key.visual.join('\n')}`,
  known_hosts: (key) => key.knownHosts,
  sshfp: (key) => key.sshfp,
};

export function renderHostKeys(keys: readonly HostKeyView[], format: HostKeyFormat): string {
  return keys.map(renderers[format]).join('\n');
}
