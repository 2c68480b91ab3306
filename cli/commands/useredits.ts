/** `dropslot users set|clear|deactivate|reactivate`: a person's changes of one user. */
import type { Command } from 'commander';
import { clearUser, deactivateUser, reactivateUser, setUser } from '../../operations/people/users.js';
import { readAssignment } from '../../operations/people/values.js';
import { atWorkplace, examples } from '../command.js';
import { showEdited } from '../views/edits.js';

/** Holds for all of them. */
const undoable = 'The change is recorded in the audit trail; "dropslot runs undo RUN" undoes it.';

export function registerUserEdits(users: Command): void {
  registerValues(users);
  registerStatus(users);
}

function registerValues(users: Command): void {
  users
    .command('set')
    .summary('set values of a user')
    .description(
      `Sets values of a user, checked as an import checks them. FIELD is a label as files have it, or a custom field.
"Teams" names all teams of the user. A date is yyyy-mm-dd, or as files of the organization write it.
${undoable} A later file that has another value changes it again.`,
    )
    .argument('<org>')
    .argument('<email>')
    .argument('<field=value...>')
    .addHelpText(
      'after',
      examples(
        'dropslot users set acme ann@acme.test "Manager Email=bob@acme.test" Office=Berlin',
        'dropslot users set acme ann@acme.test "Employee ID=E-900"',
        'dropslot users set acme ann@acme.test "User Email=ann.lee@acme.test"',
      ),
    )
    .action((id: string, email: string, assignments: string[], _options, command: Command) =>
      atWorkplace(command, async (place, out) =>
        showEdited(out, id, await setUser(place, id, email, assignments.map(readAssignment))),
      ),
    );
  users
    .command('clear')
    .summary('empty values of a user')
    .description(`Empties values of a user. ${undoable}`)
    .argument('<org>')
    .argument('<email>')
    .argument('<field...>')
    .addHelpText('after', examples('dropslot users clear acme ann@acme.test "Manager Email" Office'))
    .action((id: string, email: string, labels: string[], _options, command: Command) =>
      atWorkplace(command, async (place, out) => showEdited(out, id, await clearUser(place, id, email, labels))),
    );
}

function registerStatus(users: Command): void {
  users
    .command('deactivate')
    .summary('deactivate a user now, or on a date')
    .description(
      `Deactivates a user now, or schedules it for the start of a day in the organization's time zone.
No file makes a user active again whom a person has deactivated now. ${undoable}`,
    )
    .argument('<org>')
    .argument('<email>')
    .option('--on <date>', 'yyyy-mm-dd, or as files of the organization write it; default: now')
    .addHelpText(
      'after',
      examples(
        'dropslot users deactivate acme ann@acme.test',
        'dropslot users deactivate acme ann@acme.test --on 2027-01-31',
      ),
    )
    .action((id: string, email: string, { on }: { on?: string }, command: Command) =>
      atWorkplace(command, async (place, out) =>
        showEdited(out, id, await deactivateUser(place, id, email, on ?? null)),
      ),
    );
  users
    .command('reactivate')
    .summary('make a user active again')
    .description(
      `Makes a deactivated user active again, or cancels a deactivation that is scheduled. ${undoable}
A later file that has a deactivation date for the user deactivates them again: have it corrected.`,
    )
    .argument('<org>')
    .argument('<email>')
    .addHelpText('after', examples('dropslot users reactivate acme ann@acme.test'))
    .action((id: string, email: string, _options, command: Command) =>
      atWorkplace(command, async (place, out) => {
        const remark = 'A later file that has a deactivation date for this user deactivates them again.';
        await showEdited(out, id, await reactivateUser(place, id, email), remark);
      }),
    );
}
