/** Texts of the navigation. */

export const navigation = {
  home: 'Home',
  imports: 'Imports',
  check: 'Check a file',
  people: 'People',
  teams: 'Teams',
  connection: 'Connection',
  notifications: 'Notifications',
  members: 'Members',
  help: 'Help',
  settings: 'Settings',
  server: 'All organizations',
  overview: 'Overview',
  runs: 'Runs',
  directory: 'Directory',
  arrivals: 'Missing files',
  events: 'Events',
  network: 'Sessions and network',
  audit: 'Audit trail',
  system: 'System',
  operators: 'Operators and tokens',
};
