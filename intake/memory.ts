/**
 * Accounts for the memory that clients occupy in this process: requests without an answer, replies that are not read, writes
 * ahead of a gap, copies of a file. Each organization has a limit, and all together. At the limit the server reads no more of
 * the organization's clients; after a time it ends the session that holds the most and releases nothing.
 */

export interface MemoryLimits {
  /** Bytes of one organization. */
  orgBytes: number;
  /** Bytes of all organizations together. */
  processBytes: number;
  /** Milliseconds that an organization may stay at its limit before a session of it is ended. */
  patienceMs?: number;
}

const defaultPatienceMs = 30_000;

/** The account of one session. */
export interface MemoryShare {
  /** Counts bytes that are here already. At the limit the caller must stop reading. */
  add(bytes: number): void;
  /** Takes bytes that will wait for later requests; false: none was taken, as too little is left. A part is kept for `add`. */
  take(bytes: number): boolean;
  release(bytes: number): void;
  /** The limit is reached: read no more. */
  readonly isFull: boolean;
  /** Half of the organization's limit is used: keep buffers short. */
  readonly isTight: boolean;
  /** Calls `wake` once, when there is room again. */
  whenRoom(wake: () => void): void;
  /** Runs `work` while it holds so many bytes, as soon as there is room. @throws MemoryFull after a time without room */
  lend<T>(bytes: number, work: () => Promise<T>): Promise<T>;
  /** Called when the session must end, because it holds memory and releases none. */
  onStalled: ((heldBytes: number) => void) | null;
}

/** There was no room for a time. */
export class MemoryFull extends Error {
  override name = 'MemoryFull';
}

interface OrgAccount {
  heldBytes: number;
  /** In other processes of the server. */
  othersBytes: number;
  readonly shares: Set<Share>;
  readonly wakes: Set<() => void>;
  timer: NodeJS.Timeout | null;
}

/** One for a whole process. The processes of one server tell each other of the bytes in each. */
export class Memory {
  readonly #limits: Required<MemoryLimits>;
  readonly #orgs = new Map<string, OrgAccount>();
  /** Those with a `wake`. */
  readonly #waiting = new Set<OrgAccount>();
  #heldBytes = 0;
  /** Of all organizations, in other processes of the server. */
  #othersBytes = 0;
  #observer: ((org: string, orgBytes: number, heldBytes: number) => void) | null = null;

  constructor(limits: MemoryLimits) {
    this.#limits = { patienceMs: defaultPatienceMs, ...limits };
  }

  /** Bytes of all organizations. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** For a server of several processes: called at each change, with the bytes of the organization, and of all of them, in this one. */
  observe(observer: (org: string, orgBytes: number, heldBytes: number) => void): void {
    this.#observer = observer;
  }

  /** Bytes that the organization's sessions hold in other processes of the server: they count for its limit. */
  setOthers(org: string, bytes: number): void {
    if (bytes === 0 && !this.#orgs.has(org)) return;
    const account = this.accountOf(org);
    account.othersBytes = bytes;
    if (!this.fits(account, 0, false)) this.watch(account);
    this.#settle(org, account);
  }

  /** Bytes of all organizations in other processes of the server. */
  setAllOthers(bytes: number): void {
    this.#othersBytes = bytes;
    this.#wake();
  }

  get limits(): MemoryLimits {
    return this.#limits;
  }

  /** The account of a new session. */
  open(org: string): MemoryShare {
    return new Share(this, org, this.#limits);
  }

  /** @internal */
  accountOf(org: string): OrgAccount {
    let account = this.#orgs.get(org);
    if (account === undefined) {
      account = { heldBytes: 0, othersBytes: 0, shares: new Set(), wakes: new Set(), timer: null };
      this.#orgs.set(org, account);
    }
    return account;
  }

  /** @internal A share of each limit is kept back when `isAside`. */
  fits(account: OrgAccount, bytes: number, isAside: boolean): boolean {
    const { orgBytes, processBytes } = this.#limits;
    const share = isAside ? 0.75 : 1;
    const ownBytes = account.heldBytes + account.othersBytes + bytes;
    if (ownBytes > orgBytes * share) return false;
    // When all together are at their limit, those that hold little may go on.
    return this.#heldBytes + this.#othersBytes + bytes <= processBytes * share || ownBytes <= orgBytes / 64;
  }

  /** @internal */
  change(org: string, account: OrgAccount, bytes: number): void {
    account.heldBytes += bytes;
    this.#heldBytes += bytes;
    this.#observer?.(org, account.heldBytes, this.#heldBytes);
    if (bytes < 0) this.#settle(org, account);
    else if (!this.fits(account, 0, false)) this.watch(account);
  }

  #settle(org: string, account: OrgAccount): void {
    const isUnused = account.heldBytes === 0 && account.wakes.size === 0 && account.shares.size === 0;
    if (isUnused && account.othersBytes === 0) this.#forget(org, account);
    this.#wake();
  }

  /** Room in the process is room for every organization. */
  #wake(): void {
    for (const one of this.#waiting)
      if (this.fits(one, 0, false)) {
        const wakes = [...one.wakes];
        one.wakes.clear();
        this.#waiting.delete(one);
        for (const wake of wakes) wake();
      }
  }

  /** @internal */
  wait(account: OrgAccount, wake: () => void): void {
    account.wakes.add(wake);
    this.#waiting.add(account);
    this.watch(account);
  }

  /** @internal Ends the worst session, should the organization stay at a limit. */
  watch(account: OrgAccount): void {
    account.timer ??= setTimeout(() => {
      account.timer = null;
      if (this.fits(account, 0, true)) return;
      this.#endWorst(account);
      if (!this.fits(account, 0, true)) this.watch(account);
    }, this.#limits.patienceMs).unref();
  }

  #endWorst(account: OrgAccount): void {
    const since = performance.now() - this.#limits.patienceMs;
    const stalled = [...account.shares].filter((share) => share.onStalled !== null && share.releasedAt <= since);
    const worst = stalled.sort((one, other) => other.heldBytes - one.heldBytes)[0];
    worst?.onStalled?.(worst.heldBytes);
  }

  #forget(org: string, account: OrgAccount): void {
    if (account.timer !== null) clearTimeout(account.timer);
    this.#orgs.delete(org);
  }
}

class Share implements MemoryShare {
  heldBytes = 0;
  /** By `performance.now`. */
  releasedAt = performance.now();
  onStalled: ((heldBytes: number) => void) | null = null;
  readonly #memory: Memory;
  readonly #org: string;
  readonly #patienceMs: number;
  readonly #tightBytes: number;

  constructor(memory: Memory, org: string, { patienceMs, orgBytes }: Required<MemoryLimits>) {
    this.#memory = memory;
    this.#org = org;
    this.#patienceMs = patienceMs;
    this.#tightBytes = orgBytes / 2;
  }

  get isFull(): boolean {
    return !this.#memory.fits(this.#account, 0, false);
  }

  get isTight(): boolean {
    const { heldBytes, othersBytes } = this.#account;
    return heldBytes + othersBytes > this.#tightBytes || this.isFull;
  }

  add(bytes: number): void {
    if (this.heldBytes === 0) this.releasedAt = performance.now();
    this.heldBytes += bytes;
    const account = this.#account;
    account.shares.add(this);
    this.#memory.change(this.#org, account, bytes);
  }

  take(bytes: number): boolean {
    if (!this.#memory.fits(this.#account, bytes, true)) {
      this.#memory.watch(this.#account);
      return false;
    }
    this.add(bytes);
    return true;
  }

  release(bytes: number): void {
    this.heldBytes -= bytes;
    this.releasedAt = performance.now();
    const account = this.#account;
    if (this.heldBytes === 0) account.shares.delete(this);
    this.#memory.change(this.#org, account, -bytes);
  }

  whenRoom(wake: () => void): void {
    this.#memory.wait(this.#account, wake);
  }

  async lend<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.#patienceMs;
    while (!this.take(bytes)) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new MemoryFull(`no room for ${bytes} bytes in ${this.#patienceMs} ms`);
      await this.#roomWithin(leftMs);
    }
    try {
      return await work();
    } finally {
      this.release(bytes);
    }
  }

  /** Waits for a change, in steps: room for `add` need not be room for `take`. */
  #roomWithin(mostMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(mostMs, 250));
      if (!this.isFull) return;
      this.whenRoom(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  get #account(): OrgAccount {
    return this.#memory.accountOf(this.#org);
  }
}
