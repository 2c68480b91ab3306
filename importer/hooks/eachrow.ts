/** Calls a function `mapRow` for each of many rows. */
import { type MappedRow, readMapped } from '../read/maprows.js';
import type { ImportHooks } from './hooks.js';

/** Rows for which the function throws, or returns anything but texts, have the reason instead of values. */
export function mapEach(mapRow: NonNullable<ImportHooks['mapRow']>) {
  return (labels: readonly string[], rows: readonly (readonly string[])[]): MappedRow[] =>
    rows.map((cells) => {
      const row: Record<string, string> = Object.create(null);
      for (const [index, label] of labels.entries()) if (label !== '') row[label] = cells[index]!;
      try {
        return { values: readMapped(mapRow(row)) };
      } catch (error) {
        return { reason: error instanceof Error ? error.message : String(error) };
      }
    });
}
