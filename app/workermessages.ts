/** The messages between the server and its workers, beside those of server/workers/messages.ts: their start, their end, and their life. */
import type { Settings } from '../config/settings.js';
import type { KnownSecrets } from '../keys/master/secrets.js';
import type { FrontMessage, HostKeyText, WorkerMessage } from '../server/workers/messages.js';

/** The first message carries settings, secrets and host keys: other users can see arguments and variables. */
export interface WorkerStart {
  type: 'start';
  /** Of this worker among those of its server, from 1. */
  number: number;
  /** Names the process in the database, differently each time. */
  process: string;
  settings: Settings;
  secrets: KnownSecrets;
  hostKeys: HostKeyText[];
  /** Whether the server counts audit records for its metrics. */
  countsAudit: boolean;
  /** The server is part of another program. */
  isGuest: boolean;
}

export type ToWorker = WorkerStart | { type: 'stop'; graceMs: number } | FrontMessage;

/** `alive` each second. */
export type FromWorker =
  | { type: 'ready' }
  | { type: 'failed'; reason: string }
  | { type: 'alive'; state: WorkerState }
  | WorkerMessage;

export interface WorkerState {
  /** Resident memory. */
  memoryBytes: number;
  /** Processor time since the start, in ms. */
  processorMs: number;
}

export const beatMs = 1_000;
