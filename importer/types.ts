/** What a run counts and tells: the words of docs/import-rules.md, as types. */
import type { FieldType } from '../db/directory/fields.js';

/** A whole file is rejected; nothing of it is applied. */
export interface Refusal {
  code: string;
  /** A sentence that says what to do; never quotes a cell's value. */
  message: string;
  /** 1-based line of the file, where there is one. */
  line: number | null;
  column: string | null;
}

/** `hold`: nothing of the run is applied until an operator approves it. */
export type Severity = 'refusal' | 'hold' | 'fault' | 'warning';

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

/** What happened, or would happen, to users or to teams. */
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

/** Why a run waits for an operator's word (rule G1). */
export interface HoldReason {
  code: string;
  /** The column it is about, where there is one. */
  field: string | null;
  /** Users whom it is about, of all active ones. */
  count: number;
  of: number;
  /** What needs no approval: a number of users, or a share as `10%`. */
  limit: string;
  message: string;
}

export type FileType = 'users' | 'teams';

export interface FileOutcome {
  /** null for a file of the operator's disk (`check`). */
  uploadId: number | null;
  name: string;
  type: FileType | null;
  /** `held`: waits with its run. */
  state: 'imported' | 'refused' | 'held';
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
  /** Custom fields that begin with the file; older summaries have none. */
  newFields?: { label: string; type: FieldType }[];
}

export interface RunSummary {
  /** null for `check`. */
  run: number | null;
  org: string;
  kind: 'slot' | 'manual' | 'upload' | 'undo' | 'check' | 'dry_run';
  /** `planned`: nothing is applied, as nothing was to be. `superseded`: of a held run that a newer file ended. */
  state: 'applied' | 'held' | 'rejected' | 'planned' | 'superseded';
  /** Why the run is, was, or would be held. */
  hold: HoldReason[];
  /** What the operator said who approved or rejected it. */
  note: string | null;
  /** The import's date in the organization's time zone, yyyy-mm-dd. */
  date: string;
  timeZone: string;
  /** Milliseconds since 1970. */
  startedAt: number;
  appliedAt: number;
  /** Of a run that undoes another one: which, how many values it restored and left alone, and the list of the latter. */
  undo?: { run: number; restored?: number; kept: number; report: string | null };
  users: Counts;
  teams: Counts;
  files: FileOutcome[];
}

/** How far a run is, as `import` and `runs show` tell it. */
export interface Progress {
  phase: 'waiting' | 'reading' | 'staging' | 'planning' | 'applying' | 'reporting' | 'archiving';
  file: string | null;
  rows: number;
}
