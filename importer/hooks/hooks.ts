/** The import hooks: functions of the operator that run at four places of an import (docs/import-hooks.md). */

/** Which hooks the file of the setting `importHooks` exports; each may be absent. */
export interface ImportHooks {
  /** Called before a file is read; may refuse it. */
  beforeImport?(file: HookFile): Decision<{ refuse: string }>;
  /** Called for each row, by the labels of the header. Must be pure. The row is faulty where it throws. */
  mapRow?(row: Record<string, string>): Record<string, string | null | undefined>;
  /** Called when the plan of a run was counted; may hold the run. */
  beforeApply?(plan: HookPlan): Decision<{ hold: string }>;
  /** Called after a run was applied and settled. */
  afterApply?(run: HookRun): void | Promise<void>;
}

type Decision<T> = T | null | undefined | Promise<T | null | undefined>;

export interface HookFile {
  org: string;
  /** The path in the organization's tree; of `dropslot check`, the name alone. */
  path: string;
  name: string;
  /** As it was sent, before it is decrypted and unpacked. */
  bytes: number;
  sha256: string;
  /** `check`: nothing will be applied. */
  purpose: 'import' | 'check';
}

export interface HookCounts {
  created: number;
  updated: number;
  unchanged: number;
  deactivated: number;
  scheduled: number;
  stubs: number;
  faults: number;
  warnings: number;
  refused: number;
}

export interface HookPlan {
  org: string;
  run: number;
  /** The date of the import in the organization's time zone, yyyy-mm-dd. */
  date: string;
  files: { name: string; type: 'users' | 'teams' | null; rows: number; isRefused: boolean }[];
  users: HookCounts;
  teams: HookCounts;
}

export interface HookRun {
  org: string;
  run: number;
  /** `undo` among them. */
  kind: string;
  date: string;
  files: { name: string; type: 'users' | 'teams' | null; state: string; rows: number }[];
  users: HookCounts;
  teams: HookCounts;
}
