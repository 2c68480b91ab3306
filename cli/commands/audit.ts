/** `dropslot audit …`: show, export and prove the audit trail. */
import type { Command } from 'commander';
import { DateTime } from 'luxon';
import {
  type AuditRecord,
  formatRecord,
  type KeptHead,
  proveAudit,
  type RecordFilter,
  readAuditHead,
  readKeptHead,
  walkLastRecords,
  walkRecords,
} from '../../operations/audit.js';
import { OperationError } from '../../operations/error.js';
import { atControl, examples } from '../command.js';
import { writePrivateFile } from '../localfiles.js';
import { recordList, renderProof } from '../views/audit.js';

/** `show` without options prints as many. */
const lastRecords = 50;

export function registerAudit(program: Command): void {
  const group = program
    .command('audit')
    .summary('the audit trail')
    .description('show, export and prove the audit trail');
  withFilter(group.command('show'))
    .summary('list records')
    .description(`Lists records of the audit trail, oldest first; without options the last ${lastRecords}.`)
    .addHelpText('after', examples('dropslot audit show', 'dropslot audit show --org acme --since 2026-01-31'))
    .action((filter: RecordFilter, command: Command) =>
      atControl(command, async (workplace, out) => {
        const isFiltered = Object.keys(filter).length > 0;
        await out.list(
          isFiltered ? walkRecords(workplace, filter) : walkLastRecords(workplace, lastRecords),
          recordList,
        );
      }),
    );
  withFilter(group.command('export'))
    .summary('print records as JSON lines')
    .description('Prints records as JSON lines with their hashes: the whole trail, or a part of it.')
    .option('--out <file>', 'write to a file')
    .addHelpText('after', examples('dropslot audit export --out trail.jsonl', 'dropslot audit export --org acme'))
    .action(({ out: file, ...filter }: RecordFilter & { out?: string }, command: Command) =>
      atControl(command, async (workplace, out) => {
        let count = 0;
        const lines = formatLines(walkRecords(workplace, filter), () => count++);
        if (file === undefined) for await (const line of lines) await out.write(line);
        else await writePrivateFile(file, lines);
        out.note(`${count} records.`);
      }),
    );
  group
    .command('verify')
    .summary('prove that no record was changed or removed')
    .description(
      'Recomputes the chain of hashes over the whole trail. With a head that you kept elsewhere it also proves that no record up to that head was changed or removed, even if all later hashes were recomputed.',
    )
    .option('--expect <head>', 'the head that "dropslot audit head" printed before: HASH@N', readKeptHead)
    .addHelpText('after', examples('dropslot audit verify', 'dropslot audit verify --expect "$(cat head.txt)"'))
    .action(({ expect }: { expect?: KeptHead }, command: Command) =>
      atControl(command, async (workplace, out) => {
        const proof = await proveAudit(workplace, expect ?? null, (records) => out.note(`${records} records …`));
        const { head, flaws, flawCount, expected } = proof;
        await out.show({ isWhole: flawCount === 0, ...head, expected, flaws, flawCount }, renderProof(proof));
        if (flawCount > 0) throw new OperationError('failed', 'the audit trail is not whole');
      }),
    );
  group
    .command('head')
    .summary('print the head of the trail, to keep it elsewhere')
    .description('Prints the hash of the last record and its number, for "audit verify --expect".')
    .addHelpText('after', examples('dropslot audit head > /mnt/elsewhere/head.txt'))
    .action((_options, command: Command) =>
      atControl(command, async (workplace, out) => {
        const head = await readAuditHead(workplace);
        await out.show(head, `${head.hash}@${head.count}`);
      }),
    );
}

function withFilter(command: Command): Command {
  return command
    .option('--org <org>', 'records of one organization')
    .option('--since <time>', 'records from a date or time on (ISO 8601, UTC)', readTime)
    .option('--until <time>', 'records before a date or time', readTime);
}

function readTime(text: string): number {
  const time = DateTime.fromISO(text, { zone: 'utc' });
  if (!time.isValid)
    throw new OperationError('usage', `"${text}" is not a date (2026-01-31) or a time (2026-01-31T14:00)`);
  return time.toMillis();
}

async function* formatLines(records: AsyncIterable<AuditRecord>, onLine: () => void): AsyncGenerator<string> {
  for await (const record of records) {
    yield `${formatRecord(record)}\n`;
    onLine();
  }
}
