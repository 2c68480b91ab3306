/** Checks that the installed libraries support the post-quantum key exchange of SSH. */
import { inspectTransport, postQuantumKex } from '../../server/ssh/postquantum.js';
import type { Workplace } from '../workplace.js';
import type { Finding } from './finding.js';

export function examineTransport({ settings }: Pick<Workplace, 'settings'>): Finding[] {
  if (settings.role === 'import') return [];
  const { file, lacking } = inspectTransport();
  const finding = { check: 'transport' as const, subject: file };
  if (lacking === null) return [{ ...finding, level: 'ok', message: `post-quantum key exchange: ${postQuantumKex}` }];
  return [
    { ...finding, level: 'warning', message: `no post-quantum key exchange: ${lacking}; install Dropslot with npm ci` },
  ];
}
