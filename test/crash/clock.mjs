// Loaded first into each process of a matrix: its clock is ahead or behind by the milliseconds in the file that CRASH_CLOCK names.
import { readFileSync } from 'node:fs';

const lookEveryMs = 100;
const file = process.env.CRASH_CLOCK;
const now = Date.now.bind(Date);
let offsetMs = 0;
let readAt = Number.NEGATIVE_INFINITY;

Date.now = () => {
  if (performance.now() > readAt + lookEveryMs) {
    readAt = performance.now();
    try {
      offsetMs = Number(readFileSync(file, 'utf8'));
    } catch {
      // The file is written anew at this moment.
    }
  }
  return now() + offsetMs;
};
