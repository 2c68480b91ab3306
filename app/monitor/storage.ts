/** The stored bytes of all organizations, for metrics. To add them up reads every file's row, so it is done once in some minutes. */
import { listOrgs } from '../../db/control/orgs.js';
import { measureAllUsage } from '../../db/control/usage.js';
import type { Workplace } from '../../operations/workplace.js';
import { isNearLimits, limitsOf } from '../../storage/storagelimits.js';

export interface Storage {
  /** Of all organizations, before encryption. */
  bytes: number;
  /** Organizations that have at least 90 % of their storage or of their files. */
  near: number;
  byOrg: ReadonlyMap<string, number>;
}

const freshMs = 300_000;

/** @returns a function that measures, or returns the last measurement while it is fresh */
export function createStorageMeasure({ control, settings }: Workplace): () => Promise<Storage> {
  let last: Promise<Storage> | null = null;
  let measuredAt = 0;
  const measure = async (): Promise<Storage> => {
    const usage = await measureAllUsage(control.read);
    const near = (await listOrgs(control.read)).filter((org) =>
      isNearLimits(usage.get(org.id) ?? { bytes: 0, entries: 0 }, limitsOf(org, settings)),
    );
    const byOrg = new Map([...usage].map(([org, { bytes }]) => [org, bytes]));
    return { bytes: [...byOrg.values()].reduce((sum, bytes) => sum + bytes, 0), near: near.length, byOrg };
  };
  return () => {
    if (last !== null && performance.now() - measuredAt < freshMs) return last;
    measuredAt = performance.now();
    const measuring = measure();
    last = measuring;
    // The next scrape tries again.
    measuring.catch(() => {
      if (last === measuring) last = null;
    });
    return measuring;
  };
}
