/** What the connections of each organization have together: how many there are, their sessions and handles, their pace. */
import type { Settings } from '../../config/settings.js';
import type { Org } from '../../db/control/orgs.js';
import { Bucket, type Buckets } from '../sftp/ratelimit.js';

export interface OrgRoom {
  /** false: it has as many sessions as it may. */
  openSession(): boolean;
  closeSession(): void;
  handles: { hasRoom(): boolean; add(): void; remove(count: number): void };
  buckets: Buckets;
}

export interface OrgRooms {
  /** null: the organization has as many connections as it may. Each that came in must `leave`. */
  enter(org: Org): OrgRoom | null;
  leave(org: string): void;
}

type Caps = Pick<Settings, 'maxConnectionsPerOrg' | 'maxSessionsPerOrg' | 'maxHandlesPerOrg'>;

export function createOrgRooms(caps: Caps, now: () => number): OrgRooms {
  const rooms = new Map<string, Room>();
  return {
    enter(org) {
      const room = rooms.get(org.id) ?? new Room(caps, now);
      // What an operator has chosen since holds for the connections that are there, too.
      room.adapt(org);
      if (!room.hasRoom()) return null;
      room.connections++;
      rooms.set(org.id, room);
      return room;
    },
    leave(org) {
      const room = rooms.get(org);
      if (room !== undefined && --room.connections === 0) rooms.delete(org);
    },
  };
}

class Room implements OrgRoom {
  connections = 0;
  readonly buckets: Buckets;
  readonly handles: OrgRoom['handles'];
  #options: Org['options'] = {};
  #openSessions = 0;
  #openHandles = 0;
  readonly #caps: Caps;

  constructor(caps: Caps, now: () => number) {
    this.#caps = caps;
    this.buckets = { up: new Bucket(now), down: new Bucket(now) };
    this.handles = {
      hasRoom: () => this.#openHandles < (this.#options.maxHandles ?? caps.maxHandlesPerOrg),
      add: () => void this.#openHandles++,
      remove: (count) => {
        this.#openHandles -= count;
      },
    };
  }

  adapt({ options }: Org): void {
    this.#options = options;
    this.buckets.up.setRate(options.uploadRate ?? null);
    this.buckets.down.setRate(options.downloadRate ?? null);
  }

  hasRoom(): boolean {
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
