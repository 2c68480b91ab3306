/** Owns the limits that the connections of one organization share: their number, their sessions and handles, their byte rates. */
import type { Settings } from '../../config/settings.js';
import type { Org } from '../../db/control/orgs.js';
import type { HandleShare } from '../sftp/handles.js';
import { type Buckets, TokenBucket } from '../sftp/ratelimit.js';

export interface OrgLimits {
  /** false: the organization has as many sessions as it may. */
  openSession(): boolean | Promise<boolean>;
  closeSession(): void;
  handles: HandleShare;
  buckets: Buckets;
}

export interface SessionLimits {
  /** null: the organization has as many connections as it may. Each connection that was opened must be closed. */
  openConnection(org: LimitedOrg): OrgLimits | null | Promise<OrgLimits | null>;
  closeConnection(org: string): void;
}

export type LimitedOrg = Pick<Org, 'id' | 'options'>;

/** Of one process, which needs to ask no other. */
export interface LocalLimits extends SessionLimits {
  openConnection(org: LimitedOrg): (OrgLimits & { openSession(): boolean }) | null;
}

export type Caps = Pick<Settings, 'maxConnectionsPerOrg' | 'maxSessionsPerOrg' | 'maxHandlesPerOrg'>;

export function createSessionLimits(caps: Caps, now: () => number): LocalLimits {
  const limits = new Map<string, OrgUsage>();
  return {
    openConnection(org) {
      const usage = limits.get(org.id) ?? new OrgUsage(caps, now);
      // A limit that an operator has changed holds for the open connections, too.
      usage.adapt(org);
      if (!usage.mayConnect()) return null;
      usage.connections++;
      limits.set(org.id, usage);
      return usage;
    },
    closeConnection(org) {
      const usage = limits.get(org);
      if (usage !== undefined && --usage.connections === 0) limits.delete(org);
    },
  };
}

class OrgUsage implements OrgLimits {
  connections = 0;
  readonly buckets: Buckets;
  readonly handles: HandleShare;
  readonly #caps: Caps;
  #options: Org['options'] = {};
  #openSessions = 0;
  #openHandles = 0;

  constructor(caps: Caps, now: () => number) {
    this.#caps = caps;
    this.buckets = { up: new TokenBucket(now), down: new TokenBucket(now) };
    this.handles = {
      isBelowLimit: () => this.#openHandles < (this.#options.maxHandles ?? caps.maxHandlesPerOrg),
      add: () => void this.#openHandles++,
      remove: (count) => {
        this.#openHandles -= count;
      },
    };
  }

  adapt({ options }: LimitedOrg): void {
    this.#options = options;
    this.buckets.up.setRate(options.uploadRate ?? null);
    this.buckets.down.setRate(options.downloadRate ?? null);
  }

  mayConnect(): boolean {
    return this.connections < (this.#options.maxConnections ?? this.#caps.maxConnectionsPerOrg);
  }

  openSession(): boolean {
    if (this.#openSessions >= (this.#options.maxSessions ?? this.#caps.maxSessionsPerOrg)) return false;
    this.#openSessions++;
    return true;
  }

  closeSession(): void {
    this.#openSessions--;
  }
}
