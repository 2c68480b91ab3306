/** The issues of a run's files, read from its reports in /reports. */
import { Readable } from 'node:stream';
import { parse } from 'csv-parse';
import { unguardFormula } from '../importer/read/formulaguard.js';
import { OperationError } from './error.js';
import { readFileContent } from './files.js';
import { type Issue, type Run, summaryOf } from './runsummary.js';
import type { Workplace } from './workplace.js';

export interface FileIssue extends Issue {
  /** The path of its file. */
  file: string;
}

export interface IssueFilter {
  /** The name or path of a file. */
  file?: string | undefined;
  severity?: string | undefined;
  code?: string | undefined;
}

/**
 * In the order of the files and their lines. Each report that is read is recorded in the audit trail.
 * @throws OperationError `refused` where reports are encrypted for the customer; `not_found` where one was removed
 */
export async function* walkIssues(workplace: Workplace, run: Run, filter: IssueFilter): AsyncGenerator<FileIssue> {
  for (const { name, path, report } of summaryOf(run)?.files ?? []) {
    if (report === null || (filter.file !== undefined && filter.file !== name && filter.file !== path)) continue;
    for await (const issue of readReport(workplace, run.org, report))
      if (fits(issue, filter)) yield { file: path ?? name, ...issue };
  }
}

function fits({ severity, code }: Issue, filter: IssueFilter): boolean {
  return (filter.severity ?? severity) === severity && (filter.code ?? code) === code;
}

async function* readReport(workplace: Workplace, org: string, path: string): AsyncGenerator<Issue> {
  const content = readFileContent(workplace, org, path);
  const first = await content.next();
  if (first.done === true) return;
  // Reports are separated as the file is that they are about.
  const head = /^\ufeff?line(.)column\1/.exec(first.value.toString('utf8', 0, 64));
  if (head === null) {
    await content.return(undefined);
    throw new OperationError('refused', `${path} is encrypted for the organization: only its key opens it`);
  }
  const whole = async function* () {
    yield first.value;
    yield* content;
  };
  const rows = Readable.from(whole()).pipe(parse({ delimiter: head[1]!, bom: true, from: 2 }));
  for await (const [line, column, severity, code, message, value] of rows as AsyncIterable<string[]>)
    yield {
      line: line === '' ? null : Number(line),
      column: column === '' ? null : unguardFormula(column!),
      severity: severity as Issue['severity'],
      code: code as Issue['code'],
      message: unguardFormula(message!),
      value: value === '' ? null : unguardFormula(value!),
    };
}
