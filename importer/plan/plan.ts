/** Plans the files of a run one after the other, into the stage. The directory is not changed. */
import { createIndex, createTable, run } from '../../db/stagesql.js';
import type { Source } from '../read/source.js';
import { contextOf } from './context.js';
import { FileGroups } from './filegroups.js';
import type { PlanInput } from './input.js';
import { noteUnknown, tellMadeUp } from './madeup.js';
import { indexJoins, mayLeave } from './memberships.js';
import { filesBeforeOmission, notePresent, planOmission } from './omission.js';
import { type PlannedFile, planFile } from './planfile.js';
import { countStubs } from './stubs.js';
import { emptyRunTables } from './tables.js';

/** The rows of so many files are found without an index of their files, which would cost a large one more. */
const fewFiles = 16;

/** @param sources in the order in which they are applied. Their positions number them in the stage. */
export async function planFiles(input: PlanInput, sources: readonly Source[]): Promise<PlannedFile[]> {
  input.hasManyFiles = sources.length > fewFiles;
  if (input.hasManyFiles)
    for (const table of ['people', 'groups', 'joins', 'changes', 'fields'])
      await createIndex(input.stage, table, 'file');
  // The pairs of one file are different by themselves.
  if (sources.length > 1 || mayLeave(contextOf(input.org, 0, input.today, input.now))) await indexJoins(input.stage);
  if (input.org.options.createMissing !== 'no') return planOnce(input, sources);
  const { stage, fields, known } = input;
  await run(stage, `DROP TABLE IF EXISTS ${stage.prefix}.unknown`);
  await createTable(stage, 'unknown', 'kind TEXT, key TEXT, PRIMARY KEY (kind, key)');
  // A later file of the run may describe a user whom an earlier one names. So the run is planned, and planned again without
  // the cells that name users and teams which then are missing.
  for (;;) {
    const attempt = { ...input, fields: [...fields], known: known.copy() };
    const planned = await planOnce(attempt, sources);
    if (!(await noteUnknown(stage))) {
      Object.assign(input, { fields: attempt.fields, known: attempt.known });
      return planned;
    }
    await emptyRunTables(stage);
  }
}

const naming = ['managerEmail', 'managerName', 'teams', 'ownerEmail', 'parent'];

/** Whether a cell of the file may name a user or a team. */
function namesOthers({ type, header, labels }: PlannedFile): boolean {
  return type === 'teams' || labels.size < header.length || naming.some((column) => labels.has(column));
}

async function planOnce(input: PlanInput, sources: readonly Source[]): Promise<PlannedFile[]> {
  const planned: PlannedFile[] = [];
  const groups = input.hasManyFiles === true ? new FileGroups(input) : null;
  // All rows of a full file are read: a user has to be found in it (rule U3a).
  const counts = filesBeforeOmission(input.org) !== null;
  for (const [file, source] of sources.entries()) {
    const isFull = counts && source.isFull === true;
    const next = groups?.mayTake(source, isFull) === true ? await groups.take(file, source) : 'apart';
    if (next !== 'apart') {
      planned.push(...next);
      continue;
    }
    if (groups !== null) planned.push(...(await groups.end()));
    const one = await planFile(input, file, source, !isFull);
    planned.push(one);
    if (isFull && one.type === 'users' && one.refusal === null && one.rows > 0) await notePresent(input.stage);
  }
  if (groups !== null) planned.push(...(await groups.end()));
  // A later file may describe a user or a team that an earlier one only names: stubs are counted and told at the end.
  const stubsOf = planned.some(namesOthers) ? await countStubs(input.stage) : new Map<number, never>();
  for (const [file, { type, labels, users, teams }] of planned.entries()) {
    const stubs = stubsOf.get(file) ?? { users: 0, teams: 0 };
    users.stubs = stubs.users;
    teams.stubs = stubs.teams;
    if (type !== null && stubs.users + stubs.teams > 0) await tellMadeUp(input, file, type, { labels });
  }
  await planOmission(input, sources, planned);
  return planned;
}
