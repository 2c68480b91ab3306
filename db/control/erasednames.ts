/** Takes a person out of names of files, and out of the records of runs. All functions join a transaction. */
import type { Queryable } from '../connection.js';
import { freeName } from './entries.js';
import { foldName } from './names.js';

const pageRows = 1000;

/** The name of a file or folder, or a whole path, without the person; unchanged if it has no mention. */
export type RedactPath = (path: string) => string;

/**
 * Renames files and folders whose names mention the person; a name that is taken then gets a number.
 * @returns how many were renamed.
 */
export async function renameMentions(tx: Queryable, org: string, redact: RedactPath): Promise<number> {
  let renamed = 0;
  const isNamed = ({ dir, name }: Texts) => redact(dir!) !== dir || redact(name!) !== name;
  for await (const { id, dir, name, kind } of lockRows(tx, 'entries', org, ['dir', 'name', 'kind'], isNamed)) {
    const [newDir, plain] = [redact(dir!), redact(name!)];
    const taken = await tx('entries').where({ org_id: org, dir: newDir, name: plain }).whereNot({ id }).first('id');
    // Two folders that differed by the mention only become one: the files in both already name it as theirs.
    if (taken !== undefined && kind === 'dir') await tx('entries').where({ id }).delete();
    else {
      const newName = taken === undefined ? plain : await freeName(tx, org, newDir, plain);
      await tx('entries')
        .where({ id })
        .update({ dir: newDir, name: newName, folded_name: foldName(newName) });
    }
    if (plain !== name) renamed++;
  }
  const pathsOf = ({ id: _, ...paths }: Texts) =>
    Object.fromEntries(Object.entries(paths).map(([column, path]) => [column, path === null ? null : redact(path)]));
  const isMentioned = (upload: Texts) =>
    Object.entries(pathsOf(upload)).some(([column, path]) => path !== upload[column]);
  for await (const upload of lockRows(tx, 'uploads', org, ['path', 'closed_path', 'archived_as'], isMentioned))
    await tx('uploads').where({ id: upload.id }).update(pathsOf(upload));
  for await (const { id } of lockRows(tx, 'moved_names', org, ['dir', 'name'], isNamed))
    await tx('moved_names').where({ id }).delete();
  for (const path of await tx('check_reports').where({ org_id: org }).pluck('path'))
    if (redact(path) !== path)
      await tx('check_reports')
        .where({ org_id: org, path })
        .update({ path: redact(path) });
  return renamed;
}

const recordColumns = ['summary', 'progress', 'hold', 'approval', 'failure', 'fault'];

/** Members of those records that are names or paths of files. */
const pathMembers = new Set(['name', 'path', 'file', 'archivedAs', 'report', 'rejected', 'changes']);

export interface RunRedactors {
  ofText: (text: string) => string;
  ofPath: RedactPath;
}

/** Replaces the mentions in each text of the summaries, notes and failures of runs. @returns how many runs had one. */
export async function redactRuns(tx: Queryable, org: string, redact: RunRedactors): Promise<number> {
  let redacted = 0;
  const changeOf = ({ id: _, ...texts }: Texts) =>
    Object.fromEntries(
      Object.entries(texts)
        .filter((pair): pair is [string, string] => typeof pair[1] === 'string')
        .map(([column, text]) => [column, text, redactRecord(text, redact)] as const)
        .filter(([, before, after]) => before !== after)
        .map(([column, , after]) => [column, after]),
    );
  const isMentioned = (run: Texts) => Object.keys(changeOf(run)).length > 0;
  for await (const run of lockRows(tx, 'runs', org, recordColumns, isMentioned)) {
    await tx('runs').where({ id: run.id }).update(changeOf(run));
    redacted++;
  }
  return redacted;
}

/** JSON or a sentence. */
function redactRecord(text: string, { ofText, ofPath }: RunRedactors): string {
  if (!/^[[{]/.test(text)) return ofText(text);
  let isChanged = false;
  const walk = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) return value.map((one) => walk(one, key));
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([member, one]) => [member, walk(one, member)]));
    if (typeof value !== 'string') return value;
    const left = pathMembers.has(key) ? ofPath(value) : ofText(value);
    isChanged ||= left !== value;
    return left;
  };
  const left = walk(JSON.parse(text), '');
  return isChanged ? JSON.stringify(left) : text;
}

type Texts = { id: number } & Record<string, string | null>;

/**
 * The rows that have a mention, each held until the transaction ends, and as it is then: a client may rename a file, and a run may end, after
 * its page was read.
 */
async function* lockRows(
  tx: Queryable,
  table: string,
  org: string,
  columns: readonly string[],
  isMentioned: (row: Texts) => boolean,
): AsyncGenerator<Texts> {
  for (let after = 0; ; ) {
    const page: Texts[] = await tx(table)
      .where({ org_id: org })
      .where('id', '>', after)
      .orderBy('id')
      .limit(pageRows)
      .select('id', ...columns);
    for (const { id } of page.filter(isMentioned)) {
      const row: Texts | undefined = await tx(table)
        .where({ id })
        .forUpdate()
        .first('id', ...columns);
      if (row !== undefined && isMentioned(row)) yield row;
    }
    if (page.length < pageRows) return;
    after = page.at(-1)!.id;
  }
}
