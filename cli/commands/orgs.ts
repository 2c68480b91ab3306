/** The commands `dropslot orgs …`: add, list, show, set, request-sftp, enable, disable and remove organizations. */

import type { Command } from 'commander';
import { OperationError } from '../../operations/error.js';
import { formatBytes } from '../../operations/format.js';
import { orgDetailsToJson, orgToJson } from '../../operations/forms/orgs.js';
import { backupNotice } from '../../operations/masterkey.js';
import { detailOrg, listOrgStates, type Org } from '../../operations/orgdetails.js';
import {
  type AddedOrg,
  addOrganization,
  disableOrganization,
  enableOrganization,
  removeOrganization,
  setOrganization,
} from '../../operations/orgs.js';
import {
  checkOrgId,
  listWithoutDefault,
  orgSettings,
  readAssignments,
  readOrgFields,
} from '../../operations/orgsettings/orgsettings.js';
import { requestSftp } from '../../operations/sftpaccess.js';
import type { Workplace } from '../../operations/workplace.js';
import { atControl, atWorkplace, examples } from '../command.js';
import type { Output } from '../output.js';
import { ask, requireTerminal } from '../prompt.js';
import { leftBytes } from '../views/erasures.js';
import { orgList, renderOrg } from '../views/orgs.js';
import { renderSettingsHelp } from '../views/orgsettings.js';
import { registerWelcome } from './orgwelcome.js';

interface AddOptions {
  owner: string;
  name?: string;
  slot?: string;
  timeZone?: string;
  dateFormat?: string;
  plan?: string;
  enable?: boolean;
}

export function registerOrgs(program: Command): void {
  const orgs = program
    .command('orgs')
    .summary('organizations and their settings')
    .description('add, show, change, enable and remove organizations');
  registerAdd(orgs);
  registerRead(orgs);
  registerWelcome(orgs);
  registerChange(orgs);
  registerRemove(orgs);
}

function registerAdd(orgs: Command): void {
  orgs
    .command('add')
    .summary('add an organization')
    .description(
      'Adds an organization with its own age identity, and its owner as an active admin.\n\nThe command "orgs set" has more settings.',
    )
    .argument('<org>', 'id, which is also the SSH user name: a-z, 0-9, dot, dash, underscore')
    .requiredOption('--owner <email>', 'email of the owner, who becomes an admin')
    .option('--name <name>', describeOption('name'))
    .option('--slot <time>', describeOption('slot'))
    .option('--time-zone <zone>', describeOption('timeZone'))
    .option('--date-format <format>', describeOption('dateFormat'))
    .option('--plan <plan>', describeOption('plan'))
    .option('--enable', 'enable SFTP access now; only if the owner has requested it')
    .addHelpText(
      'after',
      examples(
        'dropslot orgs add acme --owner jane@acme.test --enable',
        'dropslot orgs add acme --owner jane@acme.test --name "Acme Corp" --slot 04:30 --time-zone Europe/Berlin',
      ),
    )
    .action((id: string, { enable, owner, ...values }: AddOptions, command: Command) => {
      // Checked first: a wrong value must not leave a new data folder.
      checkOrgId(id);
      const fields = { ...readOrgFields({ ...values, owner }), ownerEmail: owner.trim() };
      return atWorkplace(
        command,
        async (place, out) => {
          const added = await addOrganization(place, id, fields, enable === true);
          if (added.madeMasterKey !== null)
            out.note(`Made the master key: ${backupNotice(added.madeMasterKey, place.paths.data)}.`);
          await out.show({ ...orgToJson(added.org), created: added.created }, describeAdded(added));
        },
        { create: true },
      );
    });
}

/** The meaning of an option of `orgs add`, which is a setting of `orgs set` too. */
function describeOption(name: string): string {
  const { meaning, default: standard } = orgSettings.find((setting) => setting.name === name)!;
  const [sentence] = meaning.split(/\.(?: |$)/);
  return `${sentence![0]!.toLowerCase()}${sentence!.slice(1)} (default: ${standard})`;
}

function describeAdded({ org, created }: AddedOrg): string {
  return [
    created
      ? `Added ${org.id}.`
      : `Completed ${org.id}: an earlier "orgs add" was interrupted before it had added the owner.`,
    org.enabled
      ? 'It is enabled.'
      : `It is disabled until an admin requests SFTP access (dropslot orgs request-sftp ${org.id} --by EMAIL) and you enable it: dropslot orgs enable ${org.id}`,
    `To add a login key: dropslot keys add ${org.id} FILE`,
  ].join('\n');
}

function registerRead(orgs: Command): void {
  orgs
    .command('list')
    .summary('list the organizations')
    .description(
      'Lists the organizations, each with the number of its usable login keys, open sessions and queued files, and with the outlook for its next import: the verdicts of the early check, or the held run that blocks it.',
    )
    .option('--search <text>', 'only those with this text in their id, name or owner')
    .addHelpText(
      'after',
      examples('dropslot orgs list', 'dropslot orgs list --search acme', 'dropslot orgs list --json'),
    )
    .action(({ search }: { search?: string }, command: Command) =>
      atControl(command, async (place, out) => {
        const empty =
          search === undefined
            ? orgList.empty
            : `No organization has ${JSON.stringify(search)} in its id, name or owner.`;
        await out.list(await listOrgStates(place, search), { ...orgList, empty });
      }),
    );
  orgs
    .command('show')
    .summary('show one organization')
    .description('Shows the state of an organization, and its settings that differ from their default.')
    .argument('<org>', 'id of the organization')
    .option('--all', 'show every setting, also those that have their default')
    .addHelpText('after', examples('dropslot orgs show acme', 'dropslot orgs show acme --all'))
    .action((id: string, { all }: { all?: boolean }, command: Command) =>
      atWorkplace(command, async (place, out) => showOrg(place, out, await place.org(id), all)),
    );
}

function registerChange(orgs: Command): void {
  orgs
    .command('set')
    .summary('change an organization')
    .description(
      `Changes settings of an organization. If one of the values is wrong, nothing is changed.
KEY=default restores the default of every setting but ${listWithoutDefault()}.

A new slot, time zone or cadence applies from the next slot; missed slots are not made up for.`,
    )
    .argument('<org>', 'id of the organization')
    .argument('<key=value...>', 'settings and their new values; see the list below')
    .option('--create-owner', 'create the user that owner= names, if there is none')
    .addHelpText('after', () => renderSettingsHelp())
    .addHelpText(
      'after',
      examples(
        'dropslot orgs set acme slot=04:30 timeZone=America/New_York',
        'dropslot orgs set acme teams=replace expectFiles=users,teams',
        'dropslot orgs set acme maxStoredBytes=20GiB maxFiles=default',
      ),
    )
    .action((id: string, assignments: string[], { createOwner }: { createOwner?: boolean }, command: Command) =>
      atWorkplace(command, async (place, out) => {
        const options = { createOwner, note: out.note };
        await showOrg(place, out, await setOrganization(place, id, readAssignments(assignments), options));
      }),
    );
  orgs
    .command('request-sftp')
    .summary('record that an admin requested SFTP access')
    .description(
      `Records that an admin of an organization requested SFTP access, which its plan must include.
You grant it with "dropslot orgs enable ORG". The audit trail has both.`,
    )
    .argument('<org>', 'id of the organization')
    .requiredOption('--by <email>', 'the admin who requested it: an active admin of the organization')
    .addHelpText('after', examples('dropslot orgs request-sftp acme --by jane@acme.test'))
    .action((id: string, { by }: { by: string }, command: Command) =>
      atWorkplace(command, async (place, out) => {
        const org = await requestSftp(place, id, by);
        const next = org.enabled ? 'It is enabled already.' : `To enable it: dropslot orgs enable ${id}`;
        await out.show(orgToJson(org), `${org.sftpRequest!.by} requested SFTP access for ${id}. ${next}`);
      }),
    );
  const switches = [
    {
      name: 'enable',
      summary: 'allow an organization to log in',
      does: 'Allows an organization to log in. Its plan must include SFTP access, and an admin must have requested it.',
      change: enableOrganization,
    },
    {
      name: 'disable',
      summary: 'stop an organization from logging in',
      does: 'Stops an organization from logging in, and ends its sessions. Its files, keys and users are kept.',
      change: disableOrganization,
    },
  ];
  for (const { name, summary, does, change } of switches) {
    orgs
      .command(name)
      .summary(summary)
      .description(does)
      .argument('<org>', 'id of the organization')
      .addHelpText('after', examples(`dropslot orgs ${name} acme`))
      .action((id: string, _options, command: Command) =>
        atWorkplace(command, async (place, out) => {
          const org = await change(place, id);
          await out.show(orgToJson(org), `${id} is ${name}d.`);
        }),
      );
  }
}

function registerRemove(orgs: Command): void {
  orgs
    .command('remove')
    .summary('remove an organization and all its data')
    .description(
      'Removes an organization with its files, keys, users, teams and runs. This cannot be undone. The audit trail is kept.',
    )
    .argument('<org>', 'id of the organization')
    .option('--yes', 'do not ask for confirmation')
    .addHelpText('after', examples('dropslot orgs remove acme', 'dropslot orgs remove acme --yes'))
    .action((id: string, { yes }: { yes?: boolean }, command: Command) =>
      atWorkplace(command, async (place, out) => {
        const org = await place.org(id);
        if (yes !== true) await confirmRemoval(place, org);
        const removed = await removeOrganization(place, id);
        await out.show(
          { org: id, removed },
          `Removed ${id}: ${removed.files} stored files (${formatBytes(removed.bytes)}), ${removed.users} users, ${removed.teams} teams.${removed.isErased ? '' : ` ${leftBytes}`}`,
        );
      }),
    );
}

/** @throws OperationError `refused` unless the person at the terminal types the id, and where there is no terminal. */
async function confirmRemoval(place: Workplace, org: Org): Promise<void> {
  requireTerminal(`the removal of ${org.id}, which can't be undone,`);
  const { users, teams, queued } = await detailOrg(place, org);
  const answer = await ask(
    `This removes ${org.id} with its files (${queued} of them queued), keys, ${users.active + users.deactivated} users and ${teams} teams, and can't be undone.\nType its id to remove it: `,
  );
  if (answer !== org.id) throw new OperationError('refused', 'nothing was removed');
}

async function showOrg(place: Workplace, out: Output, org: Org, all = false): Promise<void> {
  const details = await detailOrg(place, org);
  await out.show(orgDetailsToJson(details, all), renderOrg(details, all));
}
