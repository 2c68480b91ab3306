/** `dropslot teams set|clear`: a person's changes of one team. */
import type { Command } from 'commander';
import { clearTeam, setTeam } from '../../operations/people/teams.js';
import { readAssignment } from '../../operations/people/values.js';
import { atWorkplace, examples } from '../command.js';
import { showEdited } from '../views/edits.js';

export function registerTeamEdits(teams: Command): void {
  teams
    .command('set')
    .summary('set the owner, parent or type of a team')
    .description(
      `Sets values of a team, checked as an import checks them: "Owner Email", "Parent Team", "Team Type".
The change is recorded in the audit trail; "dropslot runs undo RUN" undoes it. A later file that has another value changes it again.`,
    )
    .argument('<org>')
    .argument('<team>')
    .argument('<field=value...>')
    .addHelpText(
      'after',
      examples('dropslot teams set acme Sales "Owner Email=ann@acme.test" "Parent Team=Commercial"'),
    )
    .action((id: string, name: string, assignments: string[], _options, command: Command) =>
      atWorkplace(command, async (place, out) =>
        showEdited(out, id, await setTeam(place, id, name, assignments.map(readAssignment))),
      ),
    );
  teams
    .command('clear')
    .summary('empty the parent or type of a team')
    .description(
      `Empties values of a team. The change is recorded in the audit trail; "dropslot runs undo RUN" undoes it.`,
    )
    .argument('<org>')
    .argument('<team>')
    .argument('<field...>')
    .addHelpText('after', examples('dropslot teams clear acme Sales "Parent Team"'))
    .action((id: string, name: string, labels: string[], _options, command: Command) =>
      atWorkplace(command, async (place, out) => showEdited(out, id, await clearTeam(place, id, name, labels))),
    );
}
