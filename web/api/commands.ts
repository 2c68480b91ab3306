/** Which requests do the work of each command, and why some commands have none; docs/api.md has both as tables. */

/** Of every command that can be asked for remotely: its requests, as the OpenAPI document names them. */
export const requestsOf: Readonly<Record<string, readonly string[]>> = {
  'orgs add': ['POST /orgs'],
  'orgs list': ['GET /orgs'],
  'orgs show': ['GET /orgs/{org}'],
  'orgs welcome': ['GET /orgs/{org}/welcome'],
  'orgs set': ['PATCH /orgs/{org}'],
  'orgs request-sftp': ['POST /orgs/{org}/request-sftp'],
  'orgs enable': ['POST /orgs/{org}/enable'],
  'orgs disable': ['POST /orgs/{org}/disable'],
  'orgs remove': ['DELETE /orgs/{org}'],
  apply: ['POST /setup'],
  'export-config': ['GET /setup'],
  'keys add': ['POST /orgs/{org}/keys'],
  'keys add-ca': ['POST /orgs/{org}/keys'],
  'keys list': ['GET /orgs/{org}/keys'],
  'keys connections': ['GET /orgs/{org}/connections'],
  'keys show': ['GET /orgs/{org}/keys/{key}'],
  'keys rotate': ['POST /orgs/{org}/keys/rotate'],
  'keys set': ['PATCH /orgs/{org}/keys/{key}'],
  'keys revoke': ['DELETE /orgs/{org}/keys/{key}'],
  'keys password': ['POST /orgs/{org}/passwords'],
  'keys revoke-cert': ['POST /orgs/{org}/revoked-certificates'],
  'keys revoked-certs': ['GET /orgs/{org}/revoked-certificates'],
  status: ['GET /status'],
  queue: ['GET /orgs/{org}/queue', 'GET /queue'],
  'files list': ['GET /orgs/{org}/files', 'GET /orgs/{org}/uploads'],
  'files cat': ['GET /orgs/{org}/files/content'],
  'files requeue': ['POST /orgs/{org}/files/requeue'],
  check: ['POST /orgs/{org}/checks'],
  import: ['POST /orgs/{org}/imports'],
  'runs list': ['GET /orgs/{org}/runs', 'GET /runs'],
  'runs show': [
    'GET /orgs/{org}/runs/{run}',
    'GET /orgs/{org}/runs/{run}/changes',
    'GET /orgs/{org}/runs/{run}/issues',
    'GET /orgs/{org}/runs/{run}/progress',
  ],
  'runs retry': ['POST /orgs/{org}/runs/{run}/retry'],
  'runs approve': ['POST /orgs/{org}/runs/{run}/approve'],
  'runs reject': ['POST /orgs/{org}/runs/{run}/reject'],
  'runs undo': ['POST /orgs/{org}/runs/{run}/undo'],
  'users list': ['GET /orgs/{org}/users'],
  'users show': ['GET /orgs/{org}/users/{email}', 'GET /orgs/{org}/users/{email}/history'],
  'users set': ['PATCH /orgs/{org}/users/{email}'],
  'users clear': ['PATCH /orgs/{org}/users/{email}'],
  'users deactivate': ['POST /orgs/{org}/users/{email}/deactivate'],
  'users reactivate': ['POST /orgs/{org}/users/{email}/reactivate'],
  'users erase': ['POST /orgs/{org}/users/{email}/erase', 'GET /orgs/{org}/erasures/{receipt}'],
  'users readmit': ['POST /orgs/{org}/users/{email}/readmit'],
  'users export': ['GET /orgs/{org}/exports/users', 'POST /orgs/{org}/exports/users/mail'],
  'teams list': ['GET /orgs/{org}/teams'],
  'teams show': ['GET /orgs/{org}/teams/{team}', 'GET /orgs/{org}/teams/{team}/history'],
  'teams set': ['PATCH /orgs/{org}/teams/{team}'],
  'teams clear': ['PATCH /orgs/{org}/teams/{team}'],
  'teams rename': ['POST /orgs/{org}/teams/{team}/rename'],
  'teams aliases': ['GET /orgs/{org}/team-aliases'],
  'teams unalias': ['DELETE /orgs/{org}/team-aliases/{alias}'],
  'teams export': ['GET /orgs/{org}/exports/teams'],
  'fields list': ['GET /orgs/{org}/fields', 'GET /orgs/{org}/fields/{field}'],
  'fields hide': ['PATCH /orgs/{org}/fields/{field}'],
  'fields unhide': ['PATCH /orgs/{org}/fields/{field}'],
  'fields rename': ['PATCH /orgs/{org}/fields/{field}'],
  'fields retype': ['PATCH /orgs/{org}/fields/{field}'],
  'fields confirm': ['POST /orgs/{org}/fields'],
  templates: ['GET /orgs/{org}/templates'],
  'pgp generate': ['POST /orgs/{org}/pgp-keys'],
  'pgp import': ['POST /orgs/{org}/pgp-keys/import'],
  'pgp list': ['GET /orgs/{org}/pgp-keys'],
  'pgp export-public': ['GET /orgs/{org}/pgp-key'],
  'pgp rotate': ['POST /orgs/{org}/pgp-keys/rotate'],
  'pgp revoke': ['DELETE /orgs/{org}/pgp-keys/{key}'],
  'hostkeys list': ['GET /hostkeys', 'GET /hostkeys/{key}'],
  'hostkeys add': ['POST /hostkeys'],
  'hostkeys activate': ['POST /hostkeys/{key}/activate'],
  'hostkeys remove': ['DELETE /hostkeys/{key}'],
  'penalties list': ['GET /penalties'],
  'penalties forgive': ['POST /penalties/forgive'],
  'sessions list': ['GET /sessions', 'GET /orgs/{org}/sessions'],
  'sessions end': ['POST /sessions/end', 'POST /orgs/{org}/sessions/end'],
  'alarms list': ['GET /alarms', 'GET /orgs/{org}/alarms'],
  'config show': ['GET /settings'],
  'events list': ['GET /events', 'GET /orgs/{org}/events'],
  'events show': ['GET /events/{event}'],
  'events replay': ['POST /events/replay'],
  'events types': ['GET /event-types'],
  'events schemas': ['GET /event-schemas'],
  ...ofBoth('webhooks', {
    add: 'POST /webhooks',
    list: 'GET /webhooks',
    show: 'GET /webhooks/{id}',
    disable: 'POST /webhooks/{id}/disable',
    enable: 'POST /webhooks/{id}/enable',
    remove: 'DELETE /webhooks/{id}',
    deliveries: 'GET /webhooks/{id}/deliveries',
    test: 'POST /webhooks/{id}/test',
    resend: 'POST /webhooks/{id}/resend',
    'rotate-secret': 'POST /webhooks/{id}/rotate-secret',
  }),
  'hooks list': ['GET /hooks'],
  'hooks show': ['GET /hooks/{id}'],
  'hooks disable': ['POST /hooks/{id}/disable'],
  'hooks deliveries': ['GET /hooks/{id}/deliveries'],
  'handlers list': ['GET /handlers'],
  'handlers show': ['GET /handlers/{id}'],
  'handlers disable': ['POST /handlers/{id}/disable'],
  'handlers enable': ['POST /handlers/{id}/enable'],
  'handlers remove': ['DELETE /handlers/{id}'],
  'handlers deliveries': ['GET /handlers/{id}/deliveries'],
  'handlers resend': ['POST /handlers/{id}/resend'],
  'notify add': ['POST /orgs/{org}/notifications'],
  'notify confirm': ['POST /orgs/{org}/notifications/{address}/confirm'],
  'notify resend': ['POST /orgs/{org}/notifications/{address}/resend'],
  'notify set': ['PATCH /orgs/{org}/notifications/{address}'],
  'notify test': ['POST /orgs/{org}/notifications/{address}/test'],
  'notify enable': ['POST /orgs/{org}/notifications/{address}/enable'],
  'notify remove': ['DELETE /orgs/{org}/notifications/{address}'],
  'notify list': ['GET /orgs/{org}/notifications', 'GET /orgs/{org}/notifications/{address}'],
  'exports add': ['POST /orgs/{org}/exports'],
  'exports list': ['GET /orgs/{org}/exports'],
  'exports show': ['GET /orgs/{org}/exports/{id}'],
  'exports disable': ['POST /orgs/{org}/exports/{id}/disable'],
  'exports enable': ['POST /orgs/{org}/exports/{id}/enable'],
  'exports remove': ['DELETE /orgs/{org}/exports/{id}'],
  'exports deliveries': ['GET /orgs/{org}/exports/{id}/deliveries'],
  'exports run': ['POST /orgs/{org}/exports/{id}/run'],
  ...ofBoth('tokens', {
    add: 'POST /tokens',
    list: ['GET /tokens', 'GET /tokens/{id}'],
    revoke: 'DELETE /tokens/{id}',
  }),
  ...ofBoth('console', {
    invite: 'POST /people',
    people: ['GET /people', 'GET /people/{person}'],
    role: 'PATCH /people/{person}',
    remove: 'DELETE /people/{person}',
  }),
  'console set-provider': ['PATCH /orgs/{org}/provider'],
  'console providers': ['GET /providers'],
  'console provider': ['GET /orgs/{org}/provider'],
  'console remove-provider': ['DELETE /orgs/{org}/provider'],
  'audit show': ['GET /audit', 'GET /orgs/{org}/audit'],
  'audit export': ['GET /audit', 'GET /orgs/{org}/audit'],
  'audit verify': ['GET /audit/proof'],
  'audit head': ['GET /audit/proof'],
  'sources add': ['POST /orgs/{org}/sources'],
  'sources list': ['GET /orgs/{org}/sources'],
  'sources show': ['GET /orgs/{org}/sources/{id}'],
  'sources run': ['POST /orgs/{org}/sources/{id}/run'],
  'sources enable': ['POST /orgs/{org}/sources/{id}/enable'],
  'sources disable': ['POST /orgs/{org}/sources/{id}/disable'],
  'sources remove': ['DELETE /orgs/{org}/sources/{id}'],
  'sources test': ['POST /orgs/{org}/sources/{id}/test'],
  'sources set': ['PATCH /orgs/{org}/sources/{id}'],
  'folders add': ['POST /orgs/{org}/folders'],
  'folders list': ['GET /orgs/{org}/folders'],
  'folders show': ['GET /orgs/{org}/folders/{id}'],
  'folders run': ['POST /orgs/{org}/folders/{id}/run'],
  'folders enable': ['POST /orgs/{org}/folders/{id}/enable'],
  'folders disable': ['POST /orgs/{org}/folders/{id}/disable'],
  'folders remove': ['DELETE /orgs/{org}/folders/{id}'],
  doctor: ['GET /doctor'],
  backup: ['POST /backups', 'GET /backups', 'GET /backups/job'],
};

const ofSshd = 'for the OpenSSH server of the machine';
const identities = 'no request gives out or changes identities, the master key, or the key of the directory';
const programs = 'no request adds, removes, starts or tests programs of the server';
const stopped = 'the server does not run meanwhile';

/** Of every other command: why no request does its work. */
export const localOnly: Readonly<Record<string, string>> = {
  serve: 'this is the server',
  'sftp-server': ofSshd,
  'authorized-keys': ofSshd,
  'identity show': identities,
  'identity export': identities,
  'identity rotate': identities,
  'identity rotate-master': identities,
  'identity destroy': identities,
  'directory show': identities,
  'directory seal': identities,
  'directory unseal': identities,
  'config check': 'for the settings file, before a start',
  'hooks add': programs,
  'hooks enable': programs,
  'hooks remove': programs,
  'hooks test': programs,
  'hooks resend': programs,
  'databases accept': 'for the machine, after a restore',
  migrate: stopped,
  restore: stopped,
  completion: 'a script for the shell',
  help: 'the API has a page of its own, `/api/v1/docs`',
};

/** Requests for which there is no command. */
export const withoutCommand: readonly string[] = [
  // Files of programs that speak no SFTP.
  'PUT /orgs/{org}/drops/{name}',
  'GET /orgs/{org}/drops/{name}',
  'DELETE /orgs/{org}/drops/{name}',
];

/** Commands that are about an organization with `--org`, and else about all or the server: their requests with both beginnings. */
function ofBoth(
  group: string,
  commands: Readonly<Record<string, string | readonly string[]>>,
): Record<string, readonly string[]> {
  const entries = Object.entries(commands).map(([command, given]): [string, string[]] => [
    `${group} ${command}`,
    [given].flat().flatMap((request) => [request.replace(' ', ' /orgs/{org}'), request]),
  ]);
  return Object.fromEntries(entries);
}

/** `page` with its tables of commands replaced by the present ones. @throws Error when the page has no such tables. */
export function replaceCommandTables(page: string): string {
  const requests = Object.entries(requestsOf).map(([command, all]) => [
    `\`${command}\``,
    all.map((one) => `\`${one}\``).join(', '),
  ]);
  const local = [...new Set(Object.values(localOnly))].map((reason) => {
    const commands = Object.keys(localOnly).filter((command) => localOnly[command] === reason);
    return [commands.map((command) => `\`${command}\``).join(', '), reason];
  });
  return replaceTable(
    replaceTable(page, '| command | requests |', requests),
    '| commands | why they have no request |',
    local,
  );
}

function replaceTable(page: string, title: string, rows: readonly (readonly string[])[]): string {
  const head = `${title}\n| --- | --- |\n`;
  const start = page.indexOf(head);
  if (start < 0) throw new Error(`docs/api.md has no table "${title}"`);
  const end = page.slice(start).search(/\n(?!\|)/);
  const lines = rows.map((cells) => `| ${cells.join(' | ')} |\n`);
  return page.slice(0, start) + head + lines.join('') + page.slice(start + end + 1);
}
