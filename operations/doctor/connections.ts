/** Compares the connections that the processes of this node may open with those that the PostgreSQL server has (docs/postgresql.md#connections). */
import { mostImporters } from '../../config/importers.js';
import type { Settings } from '../../config/settings.js';
import { type Finding, reporter } from './finding.js';

type NodeSettings = Pick<Settings, 'api' | 'console' | 'databasePool' | 'importers' | 'role' | 'workers'>;

/** For notices, and for a look at the commits. */
const besidePools = 2;

/** Commands and backups come beside them. @param cores processors of the machine */
export function mostConnections(settings: NodeSettings, cores?: number): number {
  const { api, console, databasePool, role, workers } = settings;
  const hasImporters = role !== 'intake';
  const isApiOn = hasImporters && (api !== undefined || console !== undefined);
  // The server, and with importers their scheduler.
  const whole = 1 + (hasImporters ? 1 + mostImporters(settings, cores) : 0) + (isApiOn ? 1 : 0);
  const half = role !== 'import' && workers > 1 ? workers : 0;
  return (2 * whole + half) * databasePool + besidePools;
}

/** @param available to all clients of the server */
export function judgeConnections(most: number, available: number): Finding[] {
  const findings: Finding[] = [];
  if (most > available)
    reporter(
      findings,
      'databases',
      'PostgreSQL',
    )(
      'warning',
      `this node may open ${most} connections, and the server has ${available} for all its clients: raise max_connections, or lower databasePool, importers or workers`,
    );
  return findings;
}
