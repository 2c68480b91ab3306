/**
 * The limits of this machine, one thread each: ciphers and SHA-256 on blocks of 64 KiB, fsync, csv-parse alone, a bare bulk insert. Rates of
 * processor time, which other programs change little; fsync is time of the clock.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import sqlite3 from 'sqlite3';
import { generateUsers } from './generate.js';
import { percentile, type Section } from './report.js';
import type { Workbench } from './workbench.js';

const block = randomBytes(64 * 1024);
const syncs = 200;
const rows = 100_000;

export async function benchLimits({ folder, say }: Workbench): Promise<Section> {
  const table: string[][] = [];
  const add = (work: string, value: string): void => {
    table.push([work, value]);
    say(`${work}: ${value}`);
  };
  for (const name of ['aes-128-gcm', 'aes-256-gcm', 'aes-256-ctr', 'chacha20-poly1305', 'sha256'])
    add(name, `${measureOpenssl(name)} MB/s`);
  add('write of 4 KiB and fsync, the data folder', await measureSync(folder));
  const file = join(folder, 'limits.csv');
  await generateUsers(file, rows);
  const text = await readFile(file);
  let records: string[][] = [];
  const parsed = processorSeconds(() => {
    records = parse(text, { bom: true });
  });
  add('csv-parse alone, as arrays', `${Math.round(rows / parsed)} rows/s`);
  add('bare bulk insert into SQLite, ten columns, no index', `${await measureInsert(folder, records)} rows/s`);
  await rm(file);
  return {
    title: 'Limits of the machine',
    about:
      'One thread, MB/s (by `openssl speed`, blocks of 64 KiB) and rows/s of processor time; fsync: milliseconds of the clock.',
    header: ['work', 'limit'],
    rows: table,
    notes: [],
  };
}

/** `openssl speed` in blocks of 64 KiB: without Node.js, which allocates and clears each result. */
function measureOpenssl(name: string): string {
  const flags = ['speed', '-seconds', '1', '-bytes', String(block.length), '-mr', '-evp', name];
  const { stdout } = spawnSync('openssl', flags, { encoding: 'utf8' });
  const bytesASecond = Number(/^\+F:.*:([\d.]+)$/m.exec(stdout ?? '')?.[1]);
  return Number.isNaN(bytesASecond) ? 'no openssl:' : (bytesASecond / 1e6).toFixed(0);
}

function processorSeconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

async function measureSync(folder: string): Promise<string> {
  const path = join(folder, 'limits.sync');
  const file = await open(path, 'w');
  const times: number[] = [];
  for (let index = 0; index < syncs; index++) {
    const started = performance.now();
    await file.write(block, 0, 4096);
    await file.sync();
    times.push(performance.now() - started);
  }
  await file.close();
  await rm(path);
  return `median ${percentile(times, 50).toFixed(2)} ms, 99 % ${percentile(times, 99).toFixed(2)} ms`;
}

async function measureInsert(folder: string, records: readonly string[][]): Promise<number> {
  const path = join(folder, 'limits.db');
  const db = new sqlite3.Database(path);
  const run = (sql: string, values: string[]): Promise<void> =>
    new Promise((resolve, reject) => {
      db.run(sql, values, (error) => (error === null ? resolve() : reject(error)));
    });
  await run('CREATE TABLE rows (a, b, c, d, e, f, g, h, i, j)', []);
  const before = process.cpuUsage();
  await run('BEGIN', []);
  const columns = Array.from({ length: 10 }, (_, index) => `value ->> ${index}`).join(', ');
  for (let at = 1; at < records.length; at += 5_000)
    await run(`INSERT INTO rows SELECT ${columns} FROM json_each(?)`, [JSON.stringify(records.slice(at, at + 5_000))]);
  await run('COMMIT', []);
  const { user, system } = process.cpuUsage(before);
  await new Promise<void>((resolve) => db.close(() => resolve()));
  await rm(path);
  return Math.round((records.length - 1) / ((user + system) / 1e6));
}
