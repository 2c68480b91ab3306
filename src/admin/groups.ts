/** Every group of commands. */
import { registerAudit } from './commands/audit.js';
import { registerBackup } from './commands/backup.js';
import { registerCustomFields } from './commands/customfields.js';
import { registerDoctor } from './commands/doctor.js';
import { registerFiles } from './commands/files.js';
import { registerHostKeys } from './commands/hostkeys.js';
import { registerIdentity } from './commands/identity.js';
import { registerKeys } from './commands/keys.js';
import { registerOrgs } from './commands/orgs.js';
import { registerPenalties } from './commands/penalties.js';
import { registerQueue } from './commands/queue.js';
import { registerRuns } from './commands/runs.js';
import { registerServe } from './commands/serve.js';
import { registerSubsystem } from './commands/subsystem.js';
import { registerTeams } from './commands/teams.js';
import { registerTemplates } from './commands/templates.js';
import { registerUsers } from './commands/users.js';
import type { Group } from './program.js';

/** The order is the order of the help. */
export const groups: readonly Group[] = [
  registerServe,
  registerSubsystem,
  registerOrgs,
  registerKeys,
  registerQueue,
  registerFiles,
  registerRuns,
  registerUsers,
  registerTeams,
  registerCustomFields,
  registerTemplates,
  registerIdentity,
  registerHostKeys,
  registerPenalties,
  registerAudit,
  registerDoctor,
  registerBackup,
];
