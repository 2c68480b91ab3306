/** The messages between the server and the processes of its importer. */
import type { Settings } from '../config/settings.js';
import type { Work } from '../importer/importer.js';
import type { KnownSecrets } from '../keys/master/secrets.js';
import type { CountMessage } from './counting.js';
import type { HookAnswer, HookCall, HooksInfo } from './hookcalls.js';

/** The scheduler opens runs; importers work on them. */
export type Role = { name: 'scheduler' } | { name: 'importer'; owner: string; mostBytes: number | null };

/**
 * From the server. The first one carries the settings and secrets, because other users can see arguments and variables,
 * and because a descriptor or a person gives a secret only once.
 */
export type ServerMessage =
  | { type: 'start'; role: Role; settings: Settings; secrets: KnownSecrets; hooks?: HooksInfo }
  /** A run was opened. */
  | { type: 'nudge' }
  | HookAnswer
  | { type: 'stop' };

/** To the server: `alive` each second, and when the work or the file changes; counts with the setting monitor. */
export type ChildMessage = { type: 'alive'; state: ChildState } | { type: 'opened' } | HookCall | CountMessage;

export interface ChildState {
  work: Work;
  /** The upload that is read now; null: none is. */
  upload: number | null;
  /** Resident memory. */
  memoryBytes: number;
}

export const beatMs = 1_000;
