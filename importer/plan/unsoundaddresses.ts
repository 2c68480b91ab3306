/**
 * Rejects new users, managers and owners whose addresses are most likely wrong: without a dot after the @, or with an apostrophe
 * before them (rules U1, U8, T2). Users who have such an address already keep it.
 */
import type { Stage } from '../../db/stage.js';
import { pagesByLine, run } from '../../db/stagesql.js';
import { type CodeName, makeIssue } from '../codes.js';
import { reasonOf } from '../read/address.js';
import { labelOf } from '../read/columns.js';
import type { TeamColumn, UserColumn } from '../read/labels.js';
import type { FileInput, PlanInput } from './input.js';
import type { IssueLog } from './issuelog.js';

/** A column with addresses: its compared form and the address itself in the stage, and the SQL that takes it out. */
interface Addresses {
  column: UserColumn | TeamColumn;
  code: CodeName;
  table: string;
  key: string;
  email: string;
  reject: string;
}

const users: readonly Addresses[] = [
  {
    ...{ column: 'email', code: 'email_invalid', table: 'user_rows', key: 'key', email: 'email' },
    reject: 'DELETE FROM {table}',
  },
  {
    ...{
      column: 'managerEmail',
      code: 'manager_invalid',
      table: 'user_rows',
      key: 'manager_key',
      email: 'manager_email',
    },
    reject: 'UPDATE {table} SET manager_key = NULL, manager_email = NULL, manager_name = NULL',
  },
];
const teams: readonly Addresses[] = [
  {
    ...{ column: 'ownerEmail', code: 'owner_invalid', table: 'team_rows', key: 'owner_key', email: 'owner_email' },
    reject: 'UPDATE {table} SET owner_key = NULL, owner_email = NULL',
  },
];

/** Call once a file is staged, before its rows are compared. Reports each, and takes it out of the staged rows. */
export async function rejectUnsound(
  { stage, org }: PlanInput,
  { header, columns }: FileInput,
  issues: IssueLog,
): Promise<void> {
  const needsDot = org.options.requireDottedDomain ?? true;
  for (const { column, code, table, key, email, reject } of header.type === 'users' ? users : teams) {
    // Of managers by their identifiers no addresses are staged yet.
    if (!columns.standard.has(column as never)) continue;
    const label = labelOf(columns, column);
    const lines: number[] = [];
    const query = `SELECT r.line, r.${email} AS value FROM ${stage.prefix}.${table} r
      WHERE ${whereUnsound(`r.${key}`, needsDot)} AND ${isUnknown(stage, `r.${key}`)} AND r.line > :after
      ORDER BY r.line LIMIT :limit`;
    for await (const page of pagesByLine<{ line: number; value: string }>(stage, query, { org: org.id })) {
      lines.push(...page.map(({ line }) => line));
      await issues.addPage(page, ({ line, value }) =>
        makeIssue(code, { line, column: label, value }, { label, reason: reasonOf(value) }),
      );
    }
    await takeOut(stage, reject.replace('{table}', `${stage.prefix}.${table}`), lines);
  }
}

/** Whether the address has an apostrophe before it, or no dot after the @. */
export function isUnsound(key: string, needsDot: boolean): boolean {
  const at = key.indexOf('@');
  return key.startsWith("'") || (needsDot && (at < 0 || !key.includes('.', at + 1)));
}

/** The same as a condition. */
function whereUnsound(key: string, needsDot: boolean): string {
  return `(${key} LIKE '''%'${needsDot ? ` OR ${key} NOT LIKE '%@%.%'` : ''})`;
}

/** A condition: no user has the address, had it, or gets it in the run. */
function isUnknown({ prefix: s }: Stage, key: string): string {
  return `NOT EXISTS (SELECT 1 FROM users u WHERE u.org_id = :org AND u.email_key = ${key})
    AND NOT EXISTS (SELECT 1 FROM former_emails f WHERE f.org_id = :org AND f.email_key = ${key})
    AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = ${key} OR p.address = ${key})`;
}

const linesAtOnce = 1000;

async function takeOut(stage: Stage, statement: string, lines: readonly number[]): Promise<void> {
  for (let from = 0; from < lines.length; from += linesAtOnce)
    await run(stage, `${statement} WHERE line IN (${lines.slice(from, from + linesAtOnce).join(', ')})`);
}
