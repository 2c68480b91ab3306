/** The messages between the process that accepts connections (the front) and the processes that speak SSH (the workers). */
import type { PolicyName } from '../../config/network.js';
import type { AuditEvent } from '../../db/control/auditchain.js';
import type { HostKey } from '../../keys/host/hostkeys.js';
import type { GateAttempt } from '../ssh/gate.js';
import type { Offence } from '../ssh/penalties.js';
import type { LimitedOrg } from '../ssh/sessionlimits.js';

/** Of one organization in one process: `handles` and `memory` now, the others since the last message. */
export interface OrgUsage {
  handles: number;
  /** Bytes. */
  memory: number;
  /** Bytes of transfers that a rate limits. */
  up: number;
  down: number;
  /** Audit records. */
  records: number;
}

export const noUsage: OrgUsage = { handles: 0, memory: 0, up: 0, down: 0, records: 0 };

/** JSON has no bytes. */
export type HostKeyText = Omit<HostKey, 'wire'> & { wire: string };

export type FrontMessage =
  /** Comes with the socket. `rest`: bytes that were read from it already, in base64. */
  | { type: 'connection'; id: number; address: string; isStranger: boolean; policy: PolicyName; rest?: string }
  | { type: 'answer'; ask: number; value: unknown }
  /** These connections end, unless they have logged in: their address has a penalty. */
  | { type: 'penalty'; ids: number[] }
  | { type: 'hostKeys'; keys: HostKeyText[] }
  /** Whether the organization has connections in several workers: then they tell each other of its usage. */
  | { type: 'shared'; org: string; isShared: boolean }
  /** In the other workers together. */
  | { type: 'others'; org: string; usage: OrgUsage }
  /** Bytes of all organizations in the other workers. */
  | { type: 'othersTotal'; bytes: number };

/** The front answers `Question` with a message `answer`. */
export type Question =
  /** Milliseconds for which the attempt is not checked. */
  | { type: 'attempt'; id: number; attempt: GateAttempt }
  /** One more connection of the organization: JoinAnswer. */
  | { type: 'join'; org: LimitedOrg }
  /** One more session of it: true or false. */
  | { type: 'openSession'; org: string };

/** null: the organization has as many connections as it may. */
export type JoinAnswer = { isShared: boolean; others: OrgUsage } | null;

export type WorkerMessage =
  | (Question & { ask: number })
  | { type: 'login'; id: number; user: string; credential: string }
  /** The connection ends without a login. */
  | { type: 'left'; id: number; offence: Offence | null; user: string | null }
  | { type: 'closed'; id: number }
  | { type: 'leave'; org: string }
  | { type: 'closeSession'; org: string }
  | { type: 'failedLogin'; address: string | null }
  | { type: 'usage'; org: string; usage: OrgUsage }
  /** Bytes of memory of all organizations. */
  | { type: 'total'; bytes: number }
  | { type: 'audit'; events: readonly CountedEvent[] };

/** A committed audit record, as far as metrics count it. */
export type CountedEvent = Pick<AuditEvent, 'action'> & { detail: Record<string, unknown> };

export function toText(keys: readonly HostKey[]): HostKeyText[] {
  return keys.map((key) => ({ ...key, wire: key.wire.toString('base64') }));
}

export function fromText(keys: readonly HostKeyText[]): HostKey[] {
  return keys.map((key) => ({ ...key, wire: Buffer.from(key.wire, 'base64') }));
}
