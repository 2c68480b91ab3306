/** `dropslot audit …`. */
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Command } from 'commander';
import { DateTime } from 'luxon';
import { readHead, readRecords } from '../../db/control/audit.js';
import { type KeptHead, proveAudit, readKeptHead } from '../../operations/audit.js';
import { OperationError } from '../../operations/error.js';
import { atWorkplace, examples } from '../command.js';
import { writeText } from '../output.js';
import { formatRecord, recordList, renderProof } from '../views/audit.js';

interface FilterOptions {
  org?: string;
  since?: number;
  until?: number;
}

/** What `show` prints when it is not told what. */
const lastRecords = 50;

export function registerAudit(program: Command): void {
  const group = program.command('audit').description('show, export and prove the audit trail');
  withFilter(group.command('show'))
    .summary('list records')
    .description(`Lists records of the audit trail, oldest first; without options the last ${lastRecords}.`)
    .addHelpText('after', examples('dropslot audit show', 'dropslot audit show --org acme --since 2026-01-31'))
    .action((filter: FilterOptions, command: Command) =>
      atWorkplace(command, async ({ control }, out) => {
        const isAll = Object.keys(filter).length > 0;
        const after = isAll ? 0 : Math.max(0, (await readHead(control.read)).count - lastRecords);
        await out.list(readRecords(control.read, { ...filter, after }), recordList);
      }),
    );
  withFilter(group.command('export'))
    .summary('print records as JSON lines')
    .description('Prints records as JSON lines with their hashes: the whole trail, or a part of it.')
    .option('--out <file>', 'write to a file')
    .addHelpText('after', examples('dropslot audit export --out trail.jsonl', 'dropslot audit export --org acme'))
    .action(({ out: file, ...filter }: FilterOptions & { out?: string }, command: Command) =>
      atWorkplace(command, async ({ control }, out) => {
        const records = readRecords(control.read, filter);
        const count =
          file === undefined
            ? await writeRecords(records, (text) => out.write(text))
            : await writeFileOf(records, file);
        out.note(`${count} records.`);
      }),
    );
  group
    .command('verify')
    .summary('prove that no record was changed or removed')
    .description(
      'Recomputes the chain of hashes over the whole trail. With a head that was kept elsewhere it also proves that nothing up to that head was changed or removed by somebody who recomputed the rest.',
    )
    .option('--expect <head>', 'what "dropslot audit head" printed once: HASH@N', readKeptHead)
    .addHelpText('after', examples('dropslot audit verify', 'dropslot audit verify --expect "$(cat head.txt)"'))
    .action(({ expect }: { expect?: KeptHead }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const proof = await proveAudit(workplace, expect ?? null, (records) => out.note(`${records} records …`));
        const { head, flaws, flawCount, expected } = proof;
        await out.show({ isWhole: flawCount === 0, ...head, expected, flaws, flawCount }, renderProof(proof));
        if (flawCount > 0) throw new OperationError('failed', 'the audit trail is not whole');
      }),
    );
  group
    .command('head')
    .summary('print where the trail ends, for safekeeping elsewhere')
    .description('Prints the hash of the last record and its number, for "audit verify --expect".')
    .addHelpText('after', examples('dropslot audit head > /mnt/elsewhere/head.txt'))
    .action((_options, command: Command) =>
      atWorkplace(command, async ({ control }, out) => {
        const head = await readHead(control.read);
        await out.show(head, `${head.hash}@${head.count}`);
      }),
    );
}

function withFilter(command: Command): Command {
  return command
    .option('--org <org>', 'of one organization')
    .option('--since <time>', 'from a date or time on (ISO 8601, UTC)', readTime)
    .option('--until <time>', 'before a date or time', readTime);
}

function readTime(text: string): number {
  const time = DateTime.fromISO(text, { zone: 'utc' });
  if (!time.isValid) throw new OperationError('usage', `"${text}" is no date (2026-01-31) or time (2026-01-31T14:00)`);
  return time.toMillis();
}

async function writeRecords(
  records: ReturnType<typeof readRecords>,
  write: (text: string) => Promise<void>,
): Promise<number> {
  let count = 0;
  for await (const record of records) {
    await write(`${formatRecord(record)}\n`);
    count++;
  }
  return count;
}

async function writeFileOf(records: ReturnType<typeof readRecords>, file: string): Promise<number> {
  const stream = createWriteStream(file, { mode: 0o600 });
  const done = finished(stream);
  const count = await Promise.race([writeRecords(records, (text) => writeText(stream, text)), done.then(() => 0)]);
  stream.end();
  await done;
  return count;
}
