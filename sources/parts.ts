/** Builds the parts that rounds need, from those that every process has: an intake of their own, and an owner of leases. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Paths } from '../config/paths.js';
import type { Org } from '../db/control/orgs.js';
import { createIntake } from '../intake/intake.js';
import { createPatience } from './folder/patience.js';
import type { WorkDeps } from './work.js';

export interface PartSources extends Omit<WorkDeps, 'intake' | 'owner' | 'patience'> {
  paths: Paths;
  identity: (org: Org) => Promise<string>;
}

/** An interrupted fetch begins again: it leaves no partial for a client to resume. */
export function makeWorkDeps({ paths, identity, ...deps }: PartSources): WorkDeps {
  const { control, settings, logger, now } = deps;
  const owner = `${hostname()}:${process.pid}:${randomBytes(6).toString('hex')}`;
  const intake = createIntake({
    ...{ control, paths, logger, now, identity },
    settings: { ...settings, keepPartialHours: 0 },
  });
  return { ...deps, intake, owner, patience: createPatience(settings.sourceIdleSeconds * 1000) };
}
