/** The input of planning: the organization and the stage of a run, and one file of it. */
import type { Stage } from '../../db/stage.js';
import type { ColumnPlan } from '../read/columns.js';
import type { ReadInput } from '../read/firstpass.js';
import type { Header } from '../read/header.js';
import type { Reading } from '../read/rowstream.js';
import type { PlanContext } from './context.js';

/** All files of a run are planned with the same input. */
export interface PlanInput extends ReadInput {
  stage: Stage;
  /** The run's date in the organization's time zone, yyyy-mm-dd. */
  today: string;
  /** Whether the run has many files: what a file adds to the plan is found by an index then. */
  hasManyFiles?: boolean;
  /** Whether each file is planned by itself: an importer was lost while it planned the run, and the file that was the cause is looked for. */
  isOneByOne?: boolean;
  /** The rows of a file that decide its columns before the first one is staged; 0: all of them, in a reading of their own. */
  decidingRows?: number;
}

/** A file whose header and columns are known. */
export interface FileInput {
  /** Position of the file in the run. */
  file: number;
  name: string;
  /** Data rows, those that were left out included. */
  rows: number;
  header: Header;
  columns: ColumnPlan;
  reading: Reading;
}

/** A file whose rows are staged. */
export interface StagedFile extends FileInput {
  context: PlanContext;
  /** Whether a later run may know the row on this line, as far as reading and staging decide. */
  mayKeep(line: number): boolean;
  /** true: no two rows have the same user. */
  areDistinct: boolean;
}

/** How many users or teams the rows of one file create and change. */
export interface RowCounts {
  created: number;
  updated: number;
  unchanged: number;
  deactivated: number;
  scheduled: number;
}
