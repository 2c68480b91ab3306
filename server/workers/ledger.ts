/** Counts, in the front, the connections, sessions and usage of organizations over all workers, and tells each worker of the others. */
import { type Caps, createSessionLimits, type LimitedOrg, type OrgLimits } from '../ssh/sessionlimits.js';
import { type FrontMessage, type JoinAnswer, noUsage, type OrgUsage } from './messages.js';

/** Sends a message to a worker. */
export type Tell<Worker> = (worker: Worker, message: FrontMessage) => void;

interface Part {
  connections: number;
  sessions: number;
  usage: OrgUsage;
}

interface Account<Worker> {
  limits: OrgLimits & { openSession(): boolean };
  /** Of each worker that has connections of it. */
  parts: Map<Worker, Part>;
}

/** The limits are exact; the usage that workers tell each other is a moment old. */
export class Ledger<Worker> {
  readonly #limits;
  readonly #tell: Tell<Worker>;
  readonly #orgs = new Map<string, Account<Worker>>();
  /** Bytes of memory of each worker. */
  readonly #totals = new Map<Worker, number>();

  constructor(caps: Caps, tell: Tell<Worker>, now: () => number) {
    this.#limits = createSessionLimits(caps, now);
    this.#tell = tell;
  }

  /** A worker that begins. */
  add(worker: Worker): void {
    this.#totals.set(worker, 0);
    this.#tellTotals();
  }

  join(worker: Worker, org: LimitedOrg): JoinAnswer {
    // The last messages of a process may arrive after its end.
    if (!this.#totals.has(worker)) return null;
    const limits = this.#limits.openConnection(org);
    if (limits === null) return null;
    const account = this.#orgs.get(org.id) ?? { limits, parts: new Map<Worker, Part>() };
    this.#orgs.set(org.id, account);
    const part = account.parts.get(worker) ?? { connections: 0, sessions: 0, usage: noUsage };
    part.connections++;
    account.parts.set(worker, part);
    const isShared = account.parts.size > 1;
    if (account.parts.size === 2 && part.connections === 1) {
      for (const other of account.parts.keys())
        if (other !== worker) this.#tell(other, { type: 'shared', org: org.id, isShared });
    }
    return { isShared, others: sumOthers(account, worker) };
  }

  leave(worker: Worker, org: string): void {
    const account = this.#orgs.get(org);
    const part = account?.parts.get(worker);
    if (account === undefined || part === undefined) return;
    this.#limits.closeConnection(org);
    if (--part.connections > 0) return;
    this.#forget(worker, org, account, part);
  }

  openSession(worker: Worker, org: string): boolean {
    const account = this.#orgs.get(org);
    const part = account?.parts.get(worker);
    if (account === undefined || part === undefined || !account.limits.openSession()) return false;
    part.sessions++;
    return true;
  }

  closeSession(worker: Worker, org: string): void {
    const account = this.#orgs.get(org);
    const part = account?.parts.get(worker);
    if (account === undefined || part === undefined || part.sessions === 0) return;
    part.sessions--;
    account.limits.closeSession();
  }

  use(worker: Worker, org: string, usage: OrgUsage): void {
    const account = this.#orgs.get(org);
    const part = account?.parts.get(worker);
    if (account === undefined || part === undefined) return;
    part.usage = usage;
    this.#tellOthers(org, account, worker, usage);
  }

  useInAll(worker: Worker, bytes: number): void {
    if (!this.#totals.has(worker)) return;
    this.#totals.set(worker, bytes);
    this.#tellTotals(worker);
  }

  /** A worker has ended, with all that it had. */
  remove(worker: Worker): void {
    for (const [org, account] of [...this.#orgs]) {
      const part = account.parts.get(worker);
      if (part === undefined) continue;
      for (; part.connections > 0; part.connections--) this.#limits.closeConnection(org);
      this.#forget(worker, org, account, part);
    }
    this.#totals.delete(worker);
    this.#tellTotals();
  }

  #forget(worker: Worker, org: string, account: Account<Worker>, part: Part): void {
    for (; part.sessions > 0; part.sessions--) account.limits.closeSession();
    account.parts.delete(worker);
    this.#tellOthers(org, account, worker, noUsage);
    if (account.parts.size === 1)
      for (const other of account.parts.keys()) this.#tell(other, { type: 'shared', org, isShared: false });
    if (account.parts.size === 0) this.#orgs.delete(org);
  }

  /** What was spent since the last message comes from `from` alone. */
  #tellOthers(org: string, account: Account<Worker>, from: Worker, { up, down, records }: OrgUsage): void {
    for (const worker of account.parts.keys()) {
      if (worker === from) continue;
      const usage = { ...sumOthers(account, worker), up, down, records };
      this.#tell(worker, { type: 'others', org, usage });
    }
  }

  #tellTotals(from?: Worker): void {
    let sum = 0;
    for (const bytes of this.#totals.values()) sum += bytes;
    for (const [worker, bytes] of this.#totals)
      if (worker !== from) this.#tell(worker, { type: 'othersTotal', bytes: sum - bytes });
  }
}

function sumOthers<Worker>({ parts }: Account<Worker>, worker: Worker): OrgUsage {
  const sum = { ...noUsage };
  for (const [other, { usage }] of parts) {
    if (other === worker) continue;
    sum.handles += usage.handles;
    sum.memory += usage.memory;
  }
  return sum;
}
