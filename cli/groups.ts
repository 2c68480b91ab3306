/** Every group of commands. Only the one that is asked for is loaded: all of them take a fifth of a second more. */
import type { Group } from './program.js';

export interface GroupEntry {
  /** What it adds to the program. */
  commands: readonly string[];
  load(): Promise<Group>;
}

/** The order is the order of the help. */
export const groups: readonly GroupEntry[] = [
  { commands: ['serve'], load: async () => (await import('./commands/serve.js')).registerServe },
  {
    commands: ['sftp-server', 'authorized-keys'],
    load: async () => (await import('./commands/subsystem.js')).registerSubsystem,
  },
  { commands: ['orgs'], load: async () => (await import('./commands/orgs.js')).registerOrgs },
  { commands: ['keys'], load: async () => (await import('./commands/keys.js')).registerKeys },
  { commands: ['queue'], load: async () => (await import('./commands/queue.js')).registerQueue },
  { commands: ['files'], load: async () => (await import('./commands/files.js')).registerFiles },
  { commands: ['check', 'import', 'runs'], load: async () => (await import('./commands/runs.js')).registerRuns },
  { commands: ['users'], load: async () => (await import('./commands/users.js')).registerUsers },
  { commands: ['teams'], load: async () => (await import('./commands/teams.js')).registerTeams },
  { commands: ['fields'], load: async () => (await import('./commands/customfields.js')).registerCustomFields },
  { commands: ['templates'], load: async () => (await import('./commands/templates.js')).registerTemplates },
  { commands: ['identity'], load: async () => (await import('./commands/identity.js')).registerIdentity },
  { commands: ['hostkeys'], load: async () => (await import('./commands/hostkeys.js')).registerHostKeys },
  { commands: ['penalties'], load: async () => (await import('./commands/penalties.js')).registerPenalties },
  { commands: ['audit'], load: async () => (await import('./commands/audit.js')).registerAudit },
  { commands: ['doctor'], load: async () => (await import('./commands/doctor.js')).registerDoctor },
  { commands: ['backup'], load: async () => (await import('./commands/backup.js')).registerBackup },
];

/** The group that has a command; all of them for any other word, and for none: they explain themselves. */
export async function loadGroups(command?: string): Promise<Group[]> {
  const named = groups.filter(({ commands }) => command !== undefined && commands.includes(command));
  return Promise.all((named.length > 0 ? named : groups).map(({ load }) => load()));
}
