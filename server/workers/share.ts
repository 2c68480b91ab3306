/** Owns, in a worker, the part of each organization's limits that its connections here use; the other workers hear of it. */
import type { AuditRate } from '../../db/control/auditrate.js';
import type { Memory } from '../../intake/memory.js';
import { TokenBucket } from '../sftp/ratelimit.js';
import type { Caps, LimitedOrg, OrgLimits, SessionLimits } from '../ssh/sessionlimits.js';
import { type JoinAnswer, noUsage, type OrgUsage, type Question, type WorkerMessage } from './messages.js';

export interface ShareDeps {
  caps: Caps;
  memory: Memory;
  /** Absent where nothing counts audit records. */
  auditRate: AuditRate | undefined;
  now: () => number;
  /** `onAnswer` runs before the next message: a message that follows at once may change what the answer says. */
  ask<Answer>(question: Question, onAnswer?: (answer: Answer) => void): Promise<Answer>;
  tell(message: WorkerMessage): void;
}

export interface SharedLimits extends SessionLimits {
  setShared(org: string, isShared: boolean): void;
  /** The usage in the other workers. */
  setOthers(org: string, usage: OrgUsage): void;
  stop(): void;
}

/** Usage below half of its limit is told in so many milliseconds, and above it at once. */
const lazyMs = 50;
/** The memory of all organizations is told when it has changed by this part of its limit. */
const totalSteps = 32;

interface Share {
  readonly org: string;
  connections: number;
  isShared: boolean;
  options: LimitedOrg['options'];
  own: OrgUsage;
  others: OrgUsage;
  readonly up: TokenBucket;
  readonly down: TokenBucket;
}

/** An organization with all its connections in one worker, as nearly every one, costs no message but those of its limits. */
export function createSharedLimits({ caps, memory, auditRate, now, ask, tell }: ShareDeps): SharedLimits {
  const shares = new Map<string, Share>();
  const dirty = new Set<Share>();
  const { orgBytes, processBytes } = memory.limits;
  let timer: NodeJS.Timeout | null = null;
  let isFlushing = false;
  let toldTotal = 0;

  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    isFlushing = false;
    for (const share of dirty) {
      tell({ type: 'usage', org: share.org, usage: share.own });
      share.own = { ...noUsage, handles: share.own.handles, memory: share.own.memory };
    }
    dirty.clear();
  };
  const isUrgent = ({ own, others, options }: Share): boolean =>
    2 * (own.memory + others.memory) > orgBytes ||
    2 * (own.handles + others.handles) > (options.maxHandles ?? caps.maxHandlesPerOrg);
  const touch = (share: Share): void => {
    if (!share.isShared) return;
    dirty.add(share);
    if (isFlushing) return;
    if (isUrgent(share)) {
      isFlushing = true;
      setImmediate(flush);
    } else timer ??= setTimeout(flush, lazyMs);
  };
  const begin = (org: string): Share => {
    const share: Share = {
      ...{ org, connections: 0, isShared: false, options: {}, own: { ...noUsage }, others: { ...noUsage } },
      up: new TokenBucket(now),
      down: new TokenBucket(now),
    };
    for (const way of ['up', 'down'] as const)
      share[way].onSpend = (bytes) => {
        share.own[way] += bytes;
        touch(share);
      };
    shares.set(org, share);
    return share;
  };
  const setOthers = (share: Share, usage: OrgUsage): void => {
    share.others = usage;
    memory.setOthers(share.org, usage.memory);
    share.up.charge(usage.up);
    share.down.charge(usage.down);
    if (usage.records !== 0) auditRate?.countOthers(share.org, usage.records);
  };
  const limitsOf = (share: Share): OrgLimits => ({
    openSession: () => ask<boolean>({ type: 'openSession', org: share.org }),
    closeSession: () => tell({ type: 'closeSession', org: share.org }),
    handles: {
      isBelowLimit: () =>
        share.own.handles + share.others.handles < (share.options.maxHandles ?? caps.maxHandlesPerOrg),
      add() {
        share.own.handles++;
        touch(share);
      },
      remove(count) {
        share.own.handles -= count;
        touch(share);
      },
    },
    buckets: share,
  });

  memory.observe((org, bytes, total) => {
    const share = shares.get(org);
    if (share !== undefined) {
      share.own.memory = bytes;
      touch(share);
    }
    if (Math.abs(total - toldTotal) < processBytes / totalSteps && (total !== 0 || toldTotal === 0)) return;
    toldTotal = total;
    tell({ type: 'total', bytes: total });
  });
  auditRate?.observe((org, records) => {
    const share = shares.get(org);
    if (share === undefined) return;
    share.own.records += records;
    touch(share);
  });

  const setShared = (share: Share, isShared: boolean): void => {
    if (share.isShared === isShared) return;
    share.isShared = isShared;
    // What it spent alone is no debt of the others.
    share.own = { ...noUsage, handles: share.own.handles, memory: share.own.memory };
    if (isShared) touch(share);
    else setOthers(share, noUsage);
  };
  const join = ({ id, options }: LimitedOrg, { isShared, others }: NonNullable<JoinAnswer>): Share => {
    const share = shares.get(id) ?? begin(id);
    share.connections++;
    share.options = options;
    share.up.setRate(options.uploadRate ?? null);
    share.down.setRate(options.downloadRate ?? null);
    setOthers(share, others);
    if (isShared) setShared(share, true);
    return share;
  };

  return {
    async openConnection({ id, options }) {
      const org = { id, options };
      let share: Share | null = null;
      await ask<JoinAnswer>({ type: 'join', org }, (answer) => {
        if (answer !== null) share = join(org, answer);
      });
      return share === null ? null : limitsOf(share);
    },
    closeConnection(org) {
      tell({ type: 'leave', org });
      const share = shares.get(org);
      if (share === undefined || --share.connections > 0) return;
      shares.delete(org);
      dirty.delete(share);
      memory.setOthers(org, 0);
    },
    setShared(org, isShared) {
      const share = shares.get(org);
      if (share !== undefined) setShared(share, isShared);
    },
    setOthers(org, usage) {
      const share = shares.get(org);
      if (share !== undefined) setOthers(share, usage);
    },
    stop() {
      if (timer !== null) clearTimeout(timer);
    },
  };
}
