/** Bounds the memory in which open readers keep sealed bytes for their next reads: of each organization, and of the process. */

export interface AheadLimits {
  /** Bytes of one organization. */
  orgBytes: number;
  /** Bytes of all organizations together. */
  processBytes: number;
}

/** The account of one organization. A reader that gets nothing reads no more than it is asked for, and keeps none of it. */
export interface AheadShare {
  /** false: none was taken, as too little is left. */
  take(bytes: number): boolean;
  release(bytes: number): void;
}

export class ReadAhead {
  readonly #limits: AheadLimits;
  readonly #orgs = new Map<string, number>();
  #heldBytes = 0;

  constructor(limits: AheadLimits) {
    this.#limits = limits;
  }

  /** Bytes of all organizations. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  of(org: string): AheadShare {
    return { take: (bytes) => this.#take(org, bytes), release: (bytes) => this.#change(org, -bytes) };
  }

  #take(org: string, bytes: number): boolean {
    const { orgBytes, processBytes } = this.#limits;
    if ((this.#orgs.get(org) ?? 0) + bytes > orgBytes || this.#heldBytes + bytes > processBytes) return false;
    this.#change(org, bytes);
    return true;
  }

  #change(org: string, bytes: number): void {
    const held = (this.#orgs.get(org) ?? 0) + bytes;
    if (held === 0) this.#orgs.delete(org);
    else this.#orgs.set(org, held);
    this.#heldBytes += bytes;
  }
}
