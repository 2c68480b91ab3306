/** The types of issues, counts and summaries of an import, in the words of docs/import-rules.md. */
import type { FieldType } from '../db/directory/fields.js';

/** A whole file is rejected; nothing of it is applied. */
export interface Refusal {
  code: string;
  /** It says what to do, and never quotes a cell's value. */
  message: string;
  /** 1-based line of the file, where there is one. */
  line: number | null;
  column: string | null;
}

/** `hold`: nothing of the run is applied until an operator approves it. `notice`: nothing is wrong, and no count of a run has it. */
export type Severity = 'refusal' | 'hold' | 'fault' | 'warning' | 'notice';

/** One line of a report. */
export interface Issue {
  line: number | null;
  column: string | null;
  severity: Severity;
  code: string;
  message: string;
  /** The cell as it stood in the file: for the report to the sender only, never for logs or mails. */
  value: string | null;
}

/** How many users or teams an import changed, or would change; and its issues. */
export interface Counts {
  created: number;
  updated: number;
  unchanged: number;
  deactivated: number;
  scheduled: number;
  /** Created because another row named them: a manager, an owner, a team, a parent. */
  stubs: number;
  faults: number;
  warnings: number;
  /** Files. */
  refused: number;
}

/** Why a run waits for an operator's approval (rule G1). */
export interface HoldReason {
  code: string;
  /** The column that the reason concerns, where there is one. */
  field: string | null;
  /** The number of users concerned, and of all active users. */
  count: number;
  of: number;
  /** The limit that needs no approval: a number of users, or a share as `10%`. */
  limit: string;
  message: string;
}

/** Issues of a file that differ only in their lines and values. */
export interface Problem {
  /** The first line that has it. */
  line: number | null;
  column: string | null;
  severity: Severity;
  code: string;
  message: string;
  /** How many there are. */
  count: number;
}

export type FileType = 'users' | 'teams';

export interface FileOutcome {
  /** null for a file of the operator's disk (`check`). */
  uploadId: number | null;
  name: string;
  /** Its path in the organization's space when it was read; null for a file of the operator's disk. Older summaries do not have it. */
  path?: string | null;
  type: FileType | null;
  /**
   * `held`: waits with its run. `queued`: its run was rejected for another file, and it waits for the next run. `would_…`: of a check,
   * which applies nothing.
   */
  state: 'imported' | 'refused' | 'held' | 'queued' | 'would_import' | 'would_hold' | 'would_refuse';
  refusal: Refusal | null;
  bytes: number;
  sha256: string;
  /** Data rows read. */
  rows: number;
  /** A users file may create teams, and a teams file users. */
  users: Counts;
  teams: Counts;
  /** Virtual paths in the organization's space; null where nothing was written. */
  archivedAs: string | null;
  report: string | null;
  rejected: string | null;
  /** The list of the changes that an import would make: of a check only. */
  changes?: string | null;
  /** The first kinds of faults, warnings and notices; `moreProblems`: whether there are more kinds. */
  problems?: Problem[];
  moreProblems?: boolean;
  /** Custom fields that the file creates; summaries of older versions do not have it. */
  newFields?: { label: string; type: FieldType }[];
}

export interface RunSummary {
  /** null for `check`. */
  run: number | null;
  org: string;
  kind: 'slot' | 'manual' | 'upload' | 'undo' | 'edit' | 'check' | 'dry_run';
  /**
   * `would_…`: a check, which applies nothing; `planned`: the preview of an undo. `superseded`: the run was held, and a newer
   * file ended it.
   */
  state: 'applied' | 'held' | 'rejected' | 'superseded' | 'planned' | 'would_import' | 'would_hold' | 'would_refuse';
  /** Why the run is, was, or would be held. */
  hold: HoldReason[];
  /** The note of the operator who approved or rejected it. */
  note: string | null;
  /** The import's date in the organization's time zone, yyyy-mm-dd. */
  date: string;
  timeZone: string;
  /** Milliseconds since 1970. */
  startedAt: number;
  /** Only of a run that was applied, or rejected. */
  appliedAt?: number;
  rejectedAt?: number;
  /** Whom the organization's people ask; null: no contact is set. Older summaries do not have it. */
  contact?: string | null;
  /** Of a held run: the list of the changes that it would make. */
  changes?: string | null;
  /** Of an undo: the run that it undoes, the numbers of values restored and left unchanged, and the path of the list of the latter. */
  undo?: { run: number; restored?: number; kept: number; report: string | null };
  /** Of a person's change of one user or team: who made it, as the audit trail names them. */
  edit?: { by: string };
  users: Counts;
  teams: Counts;
  files: FileOutcome[];
}

/** The progress of a run, as `import` and `runs show` print it. */
export interface Progress {
  phase: 'waiting' | 'reading' | 'staging' | 'planning' | 'applying' | 'reporting' | 'archiving';
  file: string | null;
  rows: number;
  /** The part of the file that has been read, between 0 and 1; absent: none is read. */
  share?: number;
}
