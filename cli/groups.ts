/** The groups of commands. Only the requested group is loaded: loading all of them takes 0.2 s longer. */
import type { Group } from './program.js';

export interface GroupEntry {
  /** The commands that it adds to the program. */
  commands: readonly string[];
  load(): Promise<Group>;
}

/** In the order of the help. */
export const groups: readonly GroupEntry[] = [
  { commands: ['serve'], load: async () => (await import('./commands/serve.js')).registerServe },
  {
    commands: ['sftp-server', 'authorized-keys'],
    load: async () => (await import('./commands/subsystem.js')).registerSubsystem,
  },
  { commands: ['orgs'], load: async () => (await import('./commands/orgs.js')).registerOrgs },
  { commands: ['apply', 'export-config'], load: async () => (await import('./commands/apply.js')).registerApply },
  { commands: ['keys'], load: async () => (await import('./commands/keys.js')).registerKeys },
  { commands: ['status'], load: async () => (await import('./commands/status.js')).registerStatus },
  { commands: ['queue'], load: async () => (await import('./commands/queue.js')).registerQueue },
  { commands: ['files'], load: async () => (await import('./commands/files.js')).registerFiles },
  { commands: ['check', 'import', 'runs'], load: async () => (await import('./commands/runs.js')).registerRuns },
  { commands: ['users'], load: async () => (await import('./commands/users.js')).registerUsers },
  { commands: ['teams'], load: async () => (await import('./commands/teams.js')).registerTeams },
  { commands: ['fields'], load: async () => (await import('./commands/customfields.js')).registerCustomFields },
  { commands: ['templates'], load: async () => (await import('./commands/templates.js')).registerTemplates },
  { commands: ['pgp'], load: async () => (await import('./commands/pgp.js')).registerPgp },
  { commands: ['identity'], load: async () => (await import('./commands/identity.js')).registerIdentity },
  { commands: ['directory'], load: async () => (await import('./commands/directory.js')).registerDirectory },
  { commands: ['hostkeys'], load: async () => (await import('./commands/hostkeys.js')).registerHostKeys },
  { commands: ['penalties'], load: async () => (await import('./commands/penalties.js')).registerPenalties },
  { commands: ['sessions'], load: async () => (await import('./commands/sessions.js')).registerSessions },
  { commands: ['alarms'], load: async () => (await import('./commands/alarms.js')).registerAlarms },
  { commands: ['config'], load: async () => (await import('./commands/config.js')).registerConfig },
  { commands: ['events'], load: async () => (await import('./commands/events.js')).registerEvents },
  { commands: ['webhooks'], load: async () => (await import('./commands/webhooks.js')).registerWebhooks },
  { commands: ['hooks'], load: async () => (await import('./commands/hooks.js')).registerHooks },
  { commands: ['handlers'], load: async () => (await import('./commands/handlers.js')).registerHandlers },
  { commands: ['notify'], load: async () => (await import('./commands/notify.js')).registerNotify },
  { commands: ['exports'], load: async () => (await import('./commands/exports.js')).registerExports },
  { commands: ['tokens'], load: async () => (await import('./commands/tokens.js')).registerTokens },
  { commands: ['console'], load: async () => (await import('./commands/console.js')).registerConsole },
  { commands: ['audit'], load: async () => (await import('./commands/audit.js')).registerAudit },
  { commands: ['sources'], load: async () => (await import('./commands/sources.js')).registerSources },
  { commands: ['folders'], load: async () => (await import('./commands/watchedfolders.js')).registerFolders },
  { commands: ['doctor'], load: async () => (await import('./commands/doctor.js')).registerDoctor },
  {
    commands: ['completion'],
    load: async () => {
      const { registerCompletion } = await import('./commands/completion.js');
      const others = groups.filter(({ commands }) => !commands.includes('completion'));
      return (program) => registerCompletion(program, () => Promise.all(others.map(({ load }) => load())));
    },
  },
  { commands: ['databases'], load: async () => (await import('./commands/databases.js')).registerDatabases },
  { commands: ['migrate'], load: async () => (await import('./commands/migrate.js')).registerMigrate },
  { commands: ['backup'], load: async () => (await import('./commands/backup.js')).registerBackup },
  { commands: ['restore'], load: async () => (await import('./commands/restore.js')).registerRestore },
];

/** The group that has a command; all groups for any other word, and for none, so that the help lists them. The version needs none. */
export async function loadGroups(command?: string): Promise<Group[]> {
  if (command === '--version' || command === '-V') return [];
  const named = groups.filter(({ commands }) => command !== undefined && commands.includes(command));
  return Promise.all((named.length > 0 ? named : groups).map(({ load }) => load()));
}
