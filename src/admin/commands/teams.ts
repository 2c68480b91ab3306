/** `dropslot teams …`. */
import type { Command } from 'commander';
import { atWorkplace, examples } from '../command.js';
import { exportTeams } from '../operations/export.js';
import { growTree, walkTeams } from '../operations/teams.js';
import { renderTree, teamList, treeToJson } from '../views/teams.js';
import { registerExport } from './export.js';

export function registerTeams(program: Command): void {
  const teams = program.command('teams').description('list and export the teams of an organization');
  teams
    .command('list')
    .summary('list the teams of an organization')
    .description('Lists the teams of an organization by name, or as a tree.')
    .argument('<org>')
    .option('--tree', 'below their parents')
    .addHelpText('after', examples('dropslot teams list acme', 'dropslot teams list acme --tree'))
    .action((id: string, { tree }: { tree?: boolean }, command: Command) =>
      atWorkplace(command, async (place, out) => {
        if (tree !== true) return out.list(walkTeams(place, id), teamList);
        const all = [];
        for await (const team of walkTeams(place, id)) all.push(team);
        const roots = growTree(all);
        if (roots.length === 0) out.note(teamList.empty);
        if (out.json || roots.length > 0) await out.show(roots.map(treeToJson), renderTree(roots).join('\n'));
      }),
    );
  registerExport(teams, 'teams', exportTeams);
}
