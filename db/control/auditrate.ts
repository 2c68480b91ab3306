/**
 * Bounds the audit records that an organization's clients cause. Past the rate, records that decide nothing (reads, logins,
 * renames, uploads that failed) are counted, and one summary record tells their numbers; records of files that enter or leave
 * the queue are always written, and their senders wait instead.
 */
import type { AuditEvent } from './auditchain.js';

/** Records that an organization may cause at once, in minutes of its rate. */
const burstMinutes = 10;
/** A summary tells the records of this time. */
const summaryMs = 60_000;
const longestWaitMs = 5_000;

/** Actions of clients whose records may be summed up. */
const foldable: ReadonlySet<string> = new Set([
  ...['login.accepted', 'login.refused', 'file.read', 'file.removed', 'file.renamed', 'folder.renamed'],
  ...['partial.removed', 'upload.partial', 'upload.aborted', 'upload.failed'],
]);

interface Usage {
  tokens: number;
  /** Of the tokens, in ms. */
  at: number;
}

interface Folded {
  since: number;
  firstAt: number;
  lastAt: number;
  counts: Record<string, number>;
}

/** How often summaries are looked for, in ms. */
export const foldedEveryMs = summaryMs;

export interface Admitted {
  /** The records to write. */
  events: AuditEvent[];
  /** Call it when they were not committed. */
  undo(): void;
}

export class AuditRate {
  readonly #perMinute: number;
  readonly #now: () => number;
  readonly #usages = new Map<string, Usage>();
  /** Apart, since each transaction looks at it: of most organizations nothing was folded. */
  readonly #folded = new Map<string, Folded>();
  #observer: ((org: string, records: number) => void) | null = null;

  /** @param now in ms, and never going back. */
  constructor(perMinute: number, now: () => number = () => performance.now()) {
    this.#perMinute = perMinute;
    this.#now = now;
  }

  /** Whether records wait for their summary. */
  get hasFolded(): boolean {
    return this.#folded.size > 0;
  }

  /** For a server of several processes: called with records that count in this one, less than 0 of those that were not committed. */
  observe(observer: (org: string, records: number) => void): void {
    this.#observer = observer;
  }

  /** Records that the organization's clients have caused in other processes of the server; less than 0: as many fewer than was told. */
  countOthers(org: string, records: number): void {
    this.#usageOf(org).tokens -= records;
  }

  /** @param isLast every summary is due: no other records come. */
  admit(events: readonly AuditEvent[], isLast = false): Admitted {
    const told: [string, Folded][] = [];
    const summaries: AuditEvent[] = [];
    for (const [org, folded] of this.#folded) {
      if (!isLast && this.#now() - folded.since < summaryMs) continue;
      told.push([org, folded]);
      this.#folded.delete(org);
      summaries.push(summarize(org, folded));
    }
    const isWritten = events.map((event) => this.#mayWrite(event));
    const undo = () => {
      for (const [org, folded] of told) this.#merge(org, folded);
      for (const [index, event] of events.entries()) {
        if (!isWritten[index]) this.#forget(event);
        else if (isOfClient(event)) this.#count(event.org, -1);
      }
    };
    return { events: [...summaries, ...events.filter((_, index) => isWritten[index])], undo };
  }

  /** Milliseconds that a sender waits before a change that is always recorded. */
  waitMs(org: string): number {
    const { tokens } = this.#usageOf(org);
    return tokens >= 0 ? 0 : Math.min(longestWaitMs, (-tokens * 60_000) / this.#perMinute);
  }

  #mayWrite(event: AuditEvent): boolean {
    if (!isOfClient(event)) return true;
    const usage = this.#usageOf(event.org);
    if (usage.tokens >= 1 || !foldable.has(event.action)) {
      this.#count(event.org, 1);
      return true;
    }
    const { at, action } = event;
    this.#merge(event.org, { since: this.#now(), firstAt: at, lastAt: at, counts: { [action]: 1 } });
    return false;
  }

  #count(org: string, records: number): void {
    this.#usageOf(org).tokens -= records;
    this.#observer?.(org, records);
  }

  /** An event that was folded did not happen. */
  #forget({ org, action }: AuditEvent): void {
    const folded = this.#folded.get(org!);
    if (folded === undefined) return;
    if (--folded.counts[action]! <= 0) delete folded.counts[action];
    if (Object.keys(folded.counts).length === 0) this.#folded.delete(org!);
  }

  #merge(org: string, more: Folded): void {
    const folded = this.#folded.get(org) ?? { ...more, counts: {} };
    for (const [action, count] of Object.entries(more.counts))
      folded.counts[action] = (folded.counts[action] ?? 0) + count;
    folded.firstAt = Math.min(folded.firstAt, more.firstAt);
    folded.lastAt = Math.max(folded.lastAt, more.lastAt);
    this.#folded.set(org, folded);
  }

  #usageOf(org: string): Usage {
    const now = this.#now();
    const most = burstMinutes * this.#perMinute;
    const usage = this.#usages.get(org) ?? { tokens: most, at: now };
    usage.tokens = Math.min(most, usage.tokens + ((now - usage.at) * this.#perMinute) / 60_000);
    usage.at = now;
    this.#usages.set(org, usage);
    return usage;
  }
}

/** Whether it counts for the rate of its organization. */
function isOfClient(event: AuditEvent): event is AuditEvent & { org: string } {
  const { org, actor, action } = event;
  return org !== null && (actor.startsWith('key:') || (actor === 'system' && foldable.has(action)));
}

function summarize(org: string, { firstAt, lastAt, counts }: Folded): AuditEvent {
  const records = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const detail = { records, counts, from: new Date(firstAt).toISOString(), until: new Date(lastAt).toISOString() };
  return { at: lastAt, org, actor: 'system', action: 'audit.folded', subject: org, detail };
}
