/** `dropslot orgs …`. */
import type { Command } from 'commander';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { OperationError } from '../../operations/error.js';
import { formatBytes } from '../../operations/format.js';
import { backupNotice } from '../../operations/masterkey.js';
import {
  type AddedOrg,
  addOrganization,
  disableOrganization,
  enableOrganization,
  removeOrganization,
  setOrganization,
} from '../../operations/orgs.js';
import { checkOrgId, readAssignments, readOrgFields } from '../../operations/orgsettings.js';
import { requestSftp } from '../../operations/sftpaccess.js';
import type { Workplace } from '../../operations/workplace.js';
import { atWorkplace, examples } from '../command.js';
import type { Output } from '../output.js';
import { ask } from '../prompt.js';
import { detailOrg, orgDetailsToJson, orgList, orgToJson, renderOrg, summarizeOrg } from '../views/orgs.js';

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
  const orgs = program.command('orgs').description('add, show, change, enable and remove organizations');
  registerAdd(orgs);
  registerRead(orgs);
  registerChange(orgs);
  registerRemove(orgs);
}

function registerAdd(orgs: Command): void {
  orgs
    .command('add')
    .summary('add an organization')
    .description('Adds an organization with its own age identity, and its owner as an active admin.')
    .argument('<org>', 'its id, which is its SSH user name: a-z, 0-9, dot, dash, underscore')
    .requiredOption('--owner <email>', 'its owner, an admin')
    .option('--name <name>', 'its name (default: the id)')
    .option('--slot <time>', 'when its files are imported each day, HH:MM or 02:00,14:00 (default: 02:00)')
    .option('--time-zone <zone>', 'IANA time zone of the slot and of dates (default: UTC)')
    .option('--date-format <format>', 'auto, mdy or dmy (default: auto)')
    .option('--plan <plan>', 'its plan (default: enterprise)')
    .option('--enable', 'its owner asked for the SFTP door: open it now')
    .addHelpText(
      'after',
      examples(
        'dropslot orgs add acme --owner jane@acme.test --enable',
        'dropslot orgs add acme --owner jane@acme.test --name "Acme Corp" --slot 04:30 --time-zone Europe/Berlin',
      ),
    )
    .action((id: string, { enable, owner, ...values }: AddOptions, command: Command) => {
      // Before anything is made.
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

function describeAdded({ org, created }: AddedOrg): string {
  return [
    created
      ? `Added ${org.id}.`
      : `${org.id} was there without its owner, since an earlier attempt was cut short: it is complete now.`,
    org.enabled
      ? 'It is enabled.'
      : `It is disabled until an admin asks for the SFTP door (dropslot orgs request-sftp ${org.id} --by EMAIL); then: dropslot orgs enable ${org.id}`,
    `Let it log in: dropslot keys add ${org.id} FILE`,
  ].join('\n');
}

function registerRead(orgs: Command): void {
  orgs
    .command('list')
    .summary('list the organizations')
    .description('Lists the organizations, with their usable login keys and what waits for their next slot.')
    .addHelpText('after', examples('dropslot orgs list', 'dropslot orgs list --json'))
    .action((_options, command: Command) =>
      atWorkplace(command, async (place, out) => {
        const found = await listOrgs(place.control.read);
        await out.list(await Promise.all(found.map((org) => summarizeOrg(place, org))), orgList);
      }),
    );
  orgs
    .command('show')
    .summary('show one organization')
    .description('Shows an organization: its settings, and how much it has of everything.')
    .argument('<org>')
    .addHelpText('after', examples('dropslot orgs show acme'))
    .action((id: string, _options, command: Command) =>
      atWorkplace(command, async (place, out) => showOrg(place, out, await place.org(id))),
    );
}

function registerChange(orgs: Command): void {
  orgs
    .command('set')
    .summary('change an organization')
    .description(
      `Changes an organization. Keys: name, owner, slot, timeZone, dateFormat, plan, teams (add or replace);
maxStoredBytes, maxFileBytes, maxFiles, maxFolderDepth, maxNameBytes (as 500MiB; "default": the setting's);
maxDeactivations, maxAdminChanges, maxUpdatedShare (what needs no approval);
identifier (the column that tells who a user is), aliases (as "Work Email=User Email; Boss=Manager Email"),
encoding (utf-8, utf-16, windows-1252 or auto);
maxConnections, maxSessions, maxHandles, uploadRate, downloadRate (bytes a second), hours, addresses.
cadence (daily, weekdays, mon,wed or on-upload), earlyCheck (yes or no);
expectFiles, expectBy, expectDays, smallerThan, unchangedDays (what is an alarm).
A new slot, time zone or cadence begins with its next occurrence; nothing is caught up. A new owner is a user who is there, and
becomes an admin. A plan without the SFTP door closes it: later it needs "orgs request-sftp" and "orgs enable" again.`,
    )
    .argument('<org>')
    .argument('<key=value...>')
    .option('--create-owner', 'make a new user of the address in owner=, if no user has it')
    .addHelpText(
      'after',
      examples(
        'dropslot orgs set acme slot=04:30 timeZone=America/New_York',
        'dropslot orgs set acme teams=replace',
        'dropslot orgs set acme maxStoredBytes=20GiB maxFiles=default',
      ),
    )
    .action((id: string, assignments: string[], { createOwner }: { createOwner?: boolean }, command: Command) =>
      atWorkplace(command, async (place, out) => {
        const options = { createOwner, tell: out.note };
        await showOrg(place, out, await setOrganization(place, id, readAssignments(assignments), options));
      }),
    );
  orgs
    .command('request-sftp')
    .summary('note that an admin asked for the SFTP door')
    .description(
      `Notes that an admin of an organization asked for the SFTP door, which its plan must include.
You agree with "dropslot orgs enable ORG"; both are in the audit trail.`,
    )
    .argument('<org>')
    .requiredOption('--by <email>', 'who asked: an active admin of the organization')
    .addHelpText('after', examples('dropslot orgs request-sftp acme --by jane@acme.test'))
    .action((id: string, { by }: { by: string }, command: Command) =>
      atWorkplace(command, async (place, out) => {
        const org = await requestSftp(place, id, by);
        const next = org.enabled ? 'It is enabled already.' : `To agree: dropslot orgs enable ${id}`;
        await out.show(orgToJson(org), `${org.sftpRequest!.by} asked for the SFTP door of ${id}. ${next}`);
      }),
    );
  const switches = [
    { name: 'enable', summary: 'let an organization log in', does: 'Lets', change: enableOrganization },
    { name: 'disable', summary: 'let it log in no longer', does: 'No longer lets', change: disableOrganization },
  ];
  for (const { name, summary, does, change } of switches) {
    orgs
      .command(name)
      .summary(summary)
      .description(`${does} an organization log in. Nothing that it has is removed or changed.`)
      .argument('<org>')
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
    .summary('remove an organization and all it has')
    .description('Removes an organization for good: its files, keys, users, teams and runs. The audit trail stays.')
    .argument('<org>')
    .option('--yes', 'do not ask')
    .addHelpText('after', examples('dropslot orgs remove acme', 'dropslot orgs remove acme --yes'))
    .action((id: string, { yes }: { yes?: boolean }, command: Command) =>
      atWorkplace(command, async (place, out) => {
        const org = await place.org(id);
        if (yes !== true) await confirmRemoval(place, org);
        const removed = await removeOrganization(place, id);
        await out.show(
          { org: id, removed },
          `Removed ${id}: ${removed.files} stored files (${formatBytes(removed.bytes)}), ${removed.users} users, ${removed.teams} teams.`,
        );
      }),
    );
}

/** @throws OperationError `refused` without the person's word, or without a person. */
async function confirmRemoval(place: Workplace, org: Org): Promise<void> {
  if (!process.stdin.isTTY)
    throw new OperationError('refused', `removing ${org.id} can't be undone: say so with --yes`);
  const { users, teams, queued } = await detailOrg(place, org);
  const answer = await ask(
    `This removes ${org.id} for good: its files (${queued} still queued), keys, ${users.active + users.deactivated} users and ${teams} teams.\nType its id to remove it: `,
  );
  if (answer !== org.id) throw new OperationError('refused', 'nothing was removed');
}

async function showOrg(place: Workplace, out: Output, org: Org): Promise<void> {
  const details = await detailOrg(place, org);
  await out.show(orgDetailsToJson(details), renderOrg(details));
}
