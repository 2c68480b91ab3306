/** `dropslot teams …`: list, show, change, rename and export the teams of an organization. */

import type { Command } from 'commander';
import { exportTeams } from '../../operations/export.js';
import { quote } from '../../operations/format.js';
import { teamHistoryToJson, treeToJson } from '../../operations/forms/directory.js';
import { forgetAlias, listAliasesOf, renameTeamOf } from '../../operations/teamrename.js';
import { growTree, showTeam, walkTeams } from '../../operations/teams.js';
import { atWorkplace, examples } from '../command.js';
import { aliasList, renderTeam, renderTree, teamList } from '../views/teams.js';
import { registerExport } from './export.js';
import { registerTeamEdits } from './teamedits.js';

export function registerTeams(program: Command): void {
  const teams = program
    .command('teams')
    .summary('teams of an organization')
    .description('list, show, change, rename and export the teams of an organization');
  teams
    .command('list')
    .summary('list the teams of an organization')
    .description('Lists the teams of an organization by name, or as a tree.')
    .argument('<org>')
    .option('--tree', 'list teams below their parents')
    .addHelpText('after', examples('dropslot teams list acme', 'dropslot teams list acme --tree'))
    .action((id: string, { tree }: { tree?: boolean }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        if (tree !== true) return out.list(walkTeams(workplace, id), teamList);
        const all = [];
        for await (const team of walkTeams(workplace, id)) all.push(team);
        const roots = growTree(all);
        if (roots.length === 0) out.note(teamList.empty);
        if (out.json || roots.length > 0) await out.show(roots.map(treeToJson), renderTree(roots).join('\n'));
      }),
    );
  teams
    .command('show')
    .summary('show one team, and every recorded change')
    .description(
      'Shows a team, and every recorded change with the run, file and line, or the person, that it comes from.',
    )
    .argument('<org>')
    .argument('<team>')
    .addHelpText('after', examples('dropslot teams show acme Sales'))
    .action((id: string, name: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const shown = await showTeam(workplace, id, name);
        await out.show(teamHistoryToJson(shown), renderTeam(shown));
      }),
    );
  registerTeamEdits(teams);
  teams
    .command('rename')
    .summary('rename a team; files may still use its old name')
    .description(
      'Renames a team. Its old name becomes an alias: later files that still use it mean this team and create no other.',
    )
    .argument('<org>')
    .argument('<old>')
    .argument('<new>')
    .addHelpText('after', examples('dropslot teams rename acme "Customer Care" "Customer Success"'))
    .action((id: string, from: string, to: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        await renameTeamOf(workplace, id, from, to);
        await out.show({ org: id, from, to }, `${quote(from)} is now called ${quote(to)}; files may use both names.`);
      }),
    );
  teams
    .command('aliases')
    .summary('list the old names of renamed teams')
    .argument('<org>')
    .addHelpText('after', examples('dropslot teams aliases acme'))
    .action((id: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => out.list(await listAliasesOf(workplace, id), aliasList)),
    );
  teams
    .command('unalias')
    .summary('remove an old name, so that a new team can use it')
    .argument('<org>')
    .argument('<name>')
    .addHelpText('after', examples('dropslot teams unalias acme "Customer Care"'))
    .action((id: string, name: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        await forgetAlias(workplace, id, name);
        await out.show({ org: id, name }, `${quote(name)} is no longer an alias.`);
      }),
    );
  registerExport(teams, 'teams', exportTeams);
}
