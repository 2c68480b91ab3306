/** The tables of the stage: those of a whole run, and those that are made anew for each file. */
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import type { Dialect } from '../../db/dialect.js';
import { openStage, type Stage } from '../../db/stage.js';
import { createTable, run } from '../../db/stagesql.js';

/** Opens a stage with the tables of a run in it. @param label, isLarge as openStage takes them */
export async function openRunStage(settings: Settings, directory: Db, label: string, isLarge = false): Promise<Stage> {
  const stage = await openStage(settings, directory, label, isLarge);
  try {
    for (const { name, columns } of runTables(stage.dialect)) await createTable(stage, name, columns);
    // From here on a sweep finds it.
    await stage.script.flush();
    return stage;
  } catch (error) {
    await stage.drop();
    throw error;
  }
}

/** Empties the tables of the run, so that it can be planned again. */
export async function emptyRunTables(stage: Stage): Promise<void> {
  for (const { name } of runTables(stage.dialect)) await run(stage, `DELETE FROM ${stage.prefix}.${name}`);
}

/** Makes the tables of one file anew, empty. Of many files the tables and their index are kept. */
export async function recreateFileTables(stage: Stage, hasManyFiles = false): Promise<void> {
  for (const { name, columns } of fileTables(stage.dialect)) {
    if (!hasManyFiles) await run(stage, `DROP TABLE IF EXISTS ${stage.prefix}.${name}`);
    await createTable(stage, name, columns, hasManyFiles);
    if (hasManyFiles) await run(stage, `DELETE FROM ${stage.prefix}.${name}`);
  }
}

interface TableOfPlan {
  name: string;
  columns: string;
}

/** Tables of the whole run. `file` is a file's position in the run, `line` the line of that file which causes the row. */
function runTables(dialect: Dialect): TableOfPlan[] {
  const number = dialect === 'sqlite' ? 'INTEGER PRIMARY KEY' : 'BIGSERIAL PRIMARY KEY';
  const json = dialect === 'sqlite' ? 'TEXT' : 'JSONB';
  // A new user's, at once: on PostgreSQL an update writes the whole row and its indexes again.
  const userId = dialect === 'sqlite' ? '' : "DEFAULT nextval('users_id_seq')";
  return [
    {
      // `line` is 0 for an issue of the whole file.
      name: 'issues',
      columns: `n ${number}, file INT, line INT NOT NULL, col TEXT, severity TEXT, code TEXT, message TEXT, value TEXT, omitted INT`,
    },
    {
      // Users that the run creates or changes, as they will be. `address`: the compared email where it is not
      // the key. `in_files`: as the directory has it from now on; null: as before.
      name: 'people',
      columns: `n ${number}, key TEXT NOT NULL UNIQUE, id BIGINT ${userId}, email TEXT, address TEXT, user_name TEXT, first_name TEXT, last_name TEXT,
        manager_key TEXT, manager_id BIGINT, account_type TEXT, is_admin INT, status TEXT, deactivation_date TEXT,
        deactivate_at BIGINT, deactivated_at BIGINT, deactivated_by TEXT, custom ${json},
        in_files TEXT, is_new INT NOT NULL, is_stub INT NOT NULL, file INT, line INT`,
    },
    // Users of the rows of full files; full files that count; and users whose number of missed ones changes (rule U3a).
    { name: 'present', columns: 'key TEXT PRIMARY KEY' },
    { name: 'fulls', columns: 'digest TEXT, day TEXT' },
    { name: 'absences', columns: 'id BIGINT, key TEXT, missed INT, is_raised INT NOT NULL DEFAULT 0' },
    // Emails that users give up in the run, each with the key of the user who gave it up last.
    { name: 'formers', columns: 'email_key TEXT PRIMARY KEY, key TEXT NOT NULL' },
    {
      // Teams that the run creates or changes, as they will be.
      name: 'groups',
      columns: `n ${number}, key TEXT NOT NULL UNIQUE, id BIGINT, name TEXT, owner_key TEXT, owner_id BIGINT, parent_key TEXT,
        parent_id BIGINT, type TEXT, is_new INT NOT NULL, is_stub INT NOT NULL, file INT, line INT`,
    },
    // `name`: the team's, as the cell has it. `person`: the number of a user whom the same row creates, whose creation the membership
    // is recorded with.
    {
      name: 'joins',
      columns: 'person_key TEXT, team_key TEXT, name TEXT, file INT, line INT, person BIGINT',
    },
    { name: 'leaves', columns: 'person_key TEXT, team_key TEXT, PRIMARY KEY (person_key, team_key)' },
    { name: 'changes', columns: 'file INT, line INT, entity TEXT, key TEXT, field TEXT, before TEXT, after TEXT' },
    {
      name: 'fields',
      columns: 'id TEXT, label TEXT, label_key TEXT, type TEXT, position INT, created_at BIGINT, file INT',
    },
  ];
}

/** The table of the rows of several files that are planned together: the place of each in its own file. */
export const placesTable = { name: 'places', columns: 'line INTEGER PRIMARY KEY, file INT, own_line INT' };

/** Tables of one file. `state` of a row: 0 is planned, 1 repeats an earlier row, 2 is faulty. `clears`: as takeClears. */
function fileTables(dialect: Dialect): TableOfPlan[] {
  const json = dialect === 'sqlite' ? 'TEXT' : 'JSONB';
  return [
    {
      name: 'user_rows',
      columns: `line INTEGER PRIMARY KEY, email TEXT, key TEXT, user_name TEXT, first_name TEXT, last_name TEXT,
        manager_key TEXT, manager_email TEXT, manager_name TEXT, teams ${json}, account_type TEXT, is_admin INT,
        deactivation_date TEXT, deactivation_at BIGINT, status TEXT, custom ${json}, ident TEXT, manager_ident TEXT,
        state INT NOT NULL DEFAULT 0, address TEXT, moves INT NOT NULL DEFAULT 0, clears TEXT`,
    },
    {
      name: 'team_rows',
      columns: `line INTEGER PRIMARY KEY, name TEXT, key TEXT, owner_key TEXT, owner_email TEXT, parent_key TEXT,
        parent_name TEXT, type TEXT, state INT NOT NULL DEFAULT 0, clears TEXT`,
    },
  ];
}
