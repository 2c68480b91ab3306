/** The meanings that an organization gives to words of its cells, made ready for reading rows (rules U6a, U12b). */
import type { OrgOptions } from '../../db/control/orgoptions.js';
import { type NullWords, readNullWords } from './nullwords.js';
import { readStatusWords, type Status } from './statuswords.js';

export interface ValueRules extends NullWords {
  /** By compared forms, the status that a word means; null: a status is not read. */
  statuses: ReadonlyMap<string, Status> | null;
}

export function valueRulesOf({ nullWords, statusWords }: OrgOptions): ValueRules {
  return {
    ...readNullWords(nullWords),
    statuses: statusWords === undefined ? null : readStatusWords(statusWords),
  };
}
