/** Measures the time, processor time and memory of csv-parse alone for a file, in a separate process. Prints JSON. */
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { readPeak } from './memory.js';

const started = performance.now();
const before = process.cpuUsage();
let rows = 0;
await pipeline(createReadStream(process.argv[2]!), parse({ bom: true }), async (records: AsyncIterable<string[]>) => {
  for await (const _ of records) rows++;
});
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(before);
const processorSeconds = (user + system) / 1e6;
process.stdout.write(JSON.stringify({ rows: rows - 1, seconds, processorSeconds, peakBytes: readPeak(process.pid) }));
