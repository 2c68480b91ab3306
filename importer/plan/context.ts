/** The values that every statement of a plan is bound to, and the findings that the rules report. */
import type { Org } from '../../db/control/orgs.js';
import { emailKey } from '../read/normalize.js';

/** The run and the file that rows are planned for. */
export interface PlanContext {
  org: string;
  /** Position of the file in the run. */
  file: number;
  /** The import's date in the organization's time zone, yyyy-mm-dd. */
  today: string;
  /** Milliseconds since 1970. */
  now: number;
  /** Compared form of the owner's email: the owner of new teams without another one. */
  ownerKey: string;
  /** Whether a `Teams` cell ends the memberships that it does not name. */
  replacesTeams: boolean;
  /** As in PlanInput. */
  hasManyFiles?: boolean | undefined;
  /** Whether a cell may have the organization's token for an empty value. */
  mayClear: boolean;
}

/** @param file position of the file in the run. */
export function contextOf(org: Org, file: number, today: string, now: number): PlanContext {
  return {
    org: org.id,
    file,
    today,
    now,
    ownerKey: emailKey(org.ownerEmail),
    replacesTeams: org.teamsMode === 'replace',
    mayClear: org.options.clearToken !== undefined,
  };
}

/** A row that a rule rejects, or of which it ignores a cell. */
export interface Finding {
  line: number;
  value: string;
  /** Related lines. */
  others: number[];
}

/** A row whose edge closes a ring of managers or parents. */
export interface RingFinding extends Finding {
  /** Whether `others` has all lines of the ring; a long ring is not followed to its end. */
  isWhole: boolean;
  /** Members, as written, whose edge the file does not change. */
  kept: string[];
}

export type RowTable = 'user_rows' | 'team_rows';

/** The most related lines that a message names; it says how many others there are. */
export const namedLines = 5;
const dayMs = 86_400_000;

/** The bindings of a plan's statements. `tomorrow` is 24 hours after `now`. */
export function bindingsOf({ org, file, today, now, ownerKey }: PlanContext): Record<string, unknown> {
  return { org, file, today, now, ownerKey, tomorrow: now + dayMs };
}

/** A condition: the user or team under this alias is created by a row of the current file (`:file`). */
export function isOwnIn(alias: string): string {
  return `${alias}.is_new = 1 AND ${alias}.is_stub = 0 AND ${alias}.file = :file`;
}

/** `line 3`, `lines 3, 5 and 8`, or `lines 2, 3, 5, 8, 9 and 40 more`. @param isWhole whether there are no other lines. */
export function nameLines(lines: readonly number[], isWhole = true): string {
  if (!isWhole) {
    const named = lines.slice(0, namedLines);
    const rest = lines.length - named.length;
    return `lines ${named.join(', ')} and ${rest > 0 ? `at least ${rest} more` : 'more'}`;
  }
  if (lines.length === 1) return `line ${lines[0]}`;
  const shown = lines.length > namedLines ? namedLines : lines.length - 1;
  const last = lines.length > namedLines ? `${lines.length - namedLines} more` : lines[shown];
  return `lines ${lines.slice(0, shown).join(', ')} and ${last}`;
}
