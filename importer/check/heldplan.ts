/** Plans the files of a held run again, so that an operator sees the changes that it would make; applies nothing. */
import type { Org } from '../../db/control/orgs.js';
import type { Run } from '../../db/control/runs.js';
import { listHeld } from '../../db/control/uploads.js';
import type { Stage } from '../../db/stage.js';
import { digestPlan } from '../plan/digest.js';
import type { RunDeps } from '../run/deps.js';
import { orderSources } from '../run/order.js';
import { planTrial } from './trialplan.js';

export interface HeldPlan {
  stage: Stage;
  /** Paths of the files, by their places in the plan. */
  files: readonly string[];
  /** false: the directory or the settings changed since the run was held, so an approval would count it again. */
  isAsCounted: boolean;
}

/** The plan exists while `use` works. null: the run no longer has files. @throws KeyError */
export async function planHeld<T>(
  deps: RunDeps,
  org: Org,
  run: Run,
  use: (plan: HeldPlan) => Promise<T>,
): Promise<T | null> {
  const uploads = await listHeld(deps.control.read, run.id);
  if (uploads.length === 0 || run.hold === null) return null;
  const { today, digest } = run.hold;
  const ordered = await orderSources(deps, () => deps.identity(org), org, uploads);
  const sources = ordered.map(({ source }) => source);
  return planTrial(
    deps,
    org,
    sources,
    () => {},
    async ({ stage, moment }) =>
      use({
        stage,
        files: ordered.map(({ upload }) => upload.path),
        isAsCounted: (await digestPlan(stage, org, deps.settings, moment)) === digest,
      }),
    today,
  );
}
