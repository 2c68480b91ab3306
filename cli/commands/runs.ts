/** `dropslot check`, `dropslot import` and `dropslot runs …`: check a file, import now, and manage runs. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { confirmRun } from '../../operations/confirm.js';
import { OperationError } from '../../operations/error.js';
import { withSchema } from '../../operations/format.js';
import { issueToJson, runToJson } from '../../operations/forms/runs.js';
import { retryRunNow } from '../../operations/retry.js';
import {
  approveHeldRun,
  checkDiskFile,
  getAppliedRun,
  getHeldRun,
  getRun,
  importNow,
  listRunsOf,
  previewUndoOf,
  readRunStates,
  rejectHeldRun,
  runStates,
  shownRuns,
  undoRunNow,
} from '../../operations/runs.js';
import {
  describeSummary,
  type Issue,
  nameFile,
  type Run,
  type RunSummary,
  summaryOf,
} from '../../operations/runsummary.js';
import { readSince } from '../../operations/since.js';
import type { Workplace } from '../../operations/workplace.js';
import { atControl, atWorkplace, examples } from '../command.js';
import { once, writePrivateFile } from '../localfiles.js';
import type { Output } from '../output.js';
import { askYes, requireTerminal } from '../prompt.js';
import { IssueKinds } from '../views/issuekinds.js';
import { issueList, renderRun, runList, runTints, summaryTints, undoneList, verdictTints } from '../views/runs.js';
import { readLimit, showChanges } from './changes.js';

/** Kinds of issues that a terminal shows; the rest is counted, and `--json` has them all. */
const shownIssues = 200;
/** A terminal shows as many values that an undo would restore, and as many that it would leave unchanged. */
const shownValues = 200;

export function registerRuns(program: Command): void {
  program
    .command('check')
    .summary('check a file, and apply nothing')
    .description('Plans the import of a file of this machine and prints its errors and counts. Applies nothing.')
    .argument('<org>')
    .argument('<file>')
    .option('--changes <csv>', 'write the list of changes to this file: who, column, before, after')
    .addHelpText(
      'after',
      examples(
        'dropslot check acme users.csv',
        'dropslot check acme users.csv --changes changes.csv',
        'dropslot check acme users.csv --json',
      ),
    )
    .action((id: string, file: string, { changes }: { changes?: string }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const issues: Issue[] = [];
        const shown = new IssueKinds(shownIssues);
        const onIssues = (page: Issue[]) => (out.json ? void issues.push(...page) : shown.add(page));
        if (changes !== undefined && resolve(changes) === resolve(file))
          throw new OperationError('usage', `--changes must name another file than ${file}, which it would replace`);
        const listeners = {
          ...{ onIssues, onAdvance: out.progress },
          ...(changes !== undefined && { onChanges: writeListTo(changes) }),
        };
        const { summary, verdict } = await checkDiskFile(workplace, id, file, listeners, untilSignal());
        if (out.json) await out.show({ ...summary, issues: issues.map(issueToJson) }, '');
        else {
          await out.list(shown.list(), issueList);
          if (shown.left > 0) out.note(`… and ${shown.left} more; --json shows all.`);
          const hint = changes === undefined && changesSomething(summary) ? `\n${howToListChanges}` : '';
          await out.show(null, `\n${verdict}\nNothing was applied.${hint}`, verdictTints);
        }
        failWhenRefused(summary, 'would be refused');
      }),
    );
  program
    .command('import')
    .summary('import the queued files now, and wait')
    .description('Opens a run now instead of at the next slot, waits for its end, and prints its summary.')
    .argument('<org>')
    .addHelpText('after', examples('dropslot import acme', 'dropslot import acme --json'))
    .action((id: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const run = await importNow(workplace, id, out.progress, untilSignal());
        await showEnd(run, out);
      }),
    );
  const runs = program
    .command('runs')
    .summary('imports: list, approve, reject, undo')
    .description('list, show, approve, reject, retry and undo runs');
  runs
    .command('list')
    .summary('list runs, newest first')
    .description('Lists the runs of an organization, or of all organizations, the newest first.')
    .argument('[org]', 'only the runs of this organization')
    .option('--state <states>', `only runs in these states: ${runStates.join(', ')}`)
    .option('--since <time>', 'only runs opened since then: a date, a time, or how long ago (24h, 7d)')
    .option('--limit <number>', `list at most this many (default: ${shownRuns})`)
    .addHelpText(
      'after',
      examples('dropslot runs list acme', 'dropslot runs list --state held,failed', 'dropslot runs list --since 24h'),
    )
    .action((org: string | undefined, { state, since, limit }: ListOptions, command: Command) =>
      atControl(command, async (workplace, out) => {
        const most = readLimit(limit) ?? shownRuns;
        // One more tells whether there are others.
        const all = await listRunsOf(workplace, {
          org,
          states: state === undefined ? undefined : readRunStates(state),
          since: since === undefined ? undefined : readSince('--since', since, workplace.now()),
          limit: most + 1,
        });
        const found = all.slice(0, most);
        const isSome = org !== undefined || state !== undefined || since !== undefined;
        await out.list(found, { ...runList, empty: isSome ? 'No such run.' : runList.empty });
        if (limit === undefined && all.length > most)
          out.note(`These are the ${shownRuns} newest; --limit NUMBER lists more.`);
      }),
    );
  runs
    .command('show')
    .summary('show a run with its counts and files, or with all its changes')
    .description(
      `Shows a run with its counts and files. With --changes it lists every value that the run changed, or that a held run
would change once approved: deactivations first, then admins, emails, managers, and the rest.`,
    )
    .argument('<id>', 'number of the run')
    .option('--changes', 'list the changes: file, line, user or team, column, before, after')
    .option('--limit <number>', 'with --changes: list at most this many (default: 200; with --json all)')
    .addHelpText(
      'after',
      examples('dropslot runs show 12', 'dropslot runs show 12 --changes', 'dropslot runs show 12 --changes --json'),
    )
    .action((id: string, { changes, limit }: { changes?: boolean; limit?: string }, command: Command) =>
      (changes === true ? atWorkplace : atControl)(command, async (workplace, out) => {
        const most = readLimit(limit);
        if (changes === true) return showChanges(workplace, id, most, out);
        if (most !== undefined) throw new OperationError('usage', '--limit needs --changes');
        const run = await getRun(workplace, id);
        await out.show(runToJson(run), renderRun(run), { ...summaryTints, ...runTints(run) });
      }),
    );
  runs
    .command('retry')
    .summary('work on a failed or interrupted run again, and wait')
    .description(
      `Works on a run again now, instead of at the next slot: a run that failed in a new run, with all files that are in the
queue; one that waits or was interrupted with all its attempts. Waits for the end, and prints the summary.`,
    )
    .argument('<id>', 'number of the run')
    .option('--org <org>', 'refuse a run of another organization')
    .addHelpText('after', examples('dropslot runs retry 12', 'dropslot runs retry 12 --org acme'))
    .action((id: string, { org }: { org?: string }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        await confirmRun(workplace, id, org, '', null);
        await showEnd(await retryRunNow(workplace, id, out.progress, untilSignal()), out);
      }),
    );
  registerDecisions(runs);
  registerUndo(runs);
}

interface ListOptions {
  state?: string;
  since?: string;
  limit?: string;
}

/** The options that confirm which run is meant. */
interface WhichRun {
  org?: string | undefined;
  yes?: boolean | undefined;
}

/** Asks a person at a terminal, unless `--yes` was given. @throws OperationError `refused`, also without a terminal; `not_found` */
async function confirm(
  workplace: Workplace,
  id: string,
  { org, yes }: WhichRun,
  deed: string,
  question: string,
  requireRun: (workplace: Workplace, id: string) => Promise<Run>,
): Promise<void> {
  // A wrong number or organization, and a run in another state, is told before a missing confirmation.
  await confirmRun(workplace, id, org, question, null);
  await requireRun(workplace, id);
  if (yes === true) return;
  requireTerminal(deed);
  await confirmRun(workplace, id, org, question, askYes);
}

function registerDecisions(runs: Command): void {
  runs
    .command('approve')
    .summary('apply a held run')
    .description(
      `Approves a held run, applies it, and prints its summary. The approval covers exactly the changes that were counted: if
the run would now make other changes, they are counted again, and the run is held again if they are still too many.`,
    )
    .argument('<id>', 'number of the run')
    .option('--note <text>', 'the reason, for the audit trail and the sender')
    .option('--org <org>', 'refuse a run of another organization')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      examples('dropslot runs approve 12 --org acme --note "the Berlin office closes, HR confirmed by phone"'),
    )
    .action((id: string, { note, ...which }: { note?: string } & WhichRun, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        await confirm(workplace, id, which, 'that the run is applied', 'Apply it?', getHeldRun);
        await showEnd(await approveHeldRun(workplace, id, note ?? null, out.progress, untilSignal()), out);
      }),
    );
  runs
    .command('reject')
    .summary('reject a held run; none of it is applied')
    .description(
      `Rejects a held run: moves its files to the archive, and writes a summary for the sender into /reports. With --file only
the named files are rejected; the others are queued again, for the next run.`,
    )
    .argument('<id>', 'number of the run')
    .option('--note <text>', 'the reason, for the audit trail and the sender')
    .option('--org <org>', 'refuse a run of another organization')
    .option('--yes', 'do not ask')
    .option('--file <name>', 'reject only this file of the run: its name or its path; may be repeated', collect)
    .addHelpText(
      'after',
      examples(
        'dropslot runs reject 12 --org acme --note "the export lacks half of the company"',
        'dropslot runs reject 12 --file massoff.csv',
      ),
    )
    .action((id: string, { note, file, ...which }: { note?: string; file?: string[] } & WhichRun, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const question =
          file === undefined
            ? 'Reject it? None of it will be applied.'
            : 'Reject these files? None of the run is applied now; its other files are queued again.';
        await confirm(workplace, id, which, 'that the files are rejected', question, getHeldRun);
        const run = await rejectHeldRun(workplace, id, note ?? null, file);
        await out.show(runToJson(run), renderRun(run), { ...summaryTints, ...runTints(run) });
      }),
    );
}

function registerUndo(runs: Command): void {
  runs
    .command('undo')
    .summary('undo the changes of a run')
    .description(
      `Opens a run that restores every value which the given run changed, unless it was changed again since; it lists the
values left unchanged, with the reason. Users that the run created are deactivated until a file names them again; teams
and fields that it created are kept. An undo can be undone.`,
    )
    .argument('<id>', 'number of the run')
    .option('--dry-run', 'list the values that would be restored and left unchanged; apply and record nothing')
    .option('--org <org>', 'refuse a run of another organization')
    .option('--yes', 'do not ask')
    .addHelpText('after', examples('dropslot runs undo 12 --dry-run', 'dropslot runs undo 12 --org acme'))
    .action((id: string, { dryRun, ...which }: { dryRun?: boolean } & WhichRun, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const consent = { ...which, yes: which.yes || dryRun };
        await confirm(workplace, id, consent, 'the undo', 'Undo its changes?', getAppliedRun);
        if (dryRun === true) return showUndo(workplace, id, out);
        await showEnd(await undoRunNow(workplace, id, out.progress, untilSignal()), out);
      }),
    );
}

function showUndo(workplace: Workplace, id: string, out: Output): Promise<void> {
  return previewUndoOf(workplace, id, async (summary, list) => {
    if (out.json) {
      // A run may have changed millions of values: they are never all in memory.
      await out.write(`${JSON.stringify(withSchema(summary)).slice(0, -1)},"values":`);
      await out.list(flatten(list('back'), list('kept')), undoneList, true);
      await out.write('}\n');
      return;
    }
    const { restored = 0, kept } = summary.undo!;
    await out.list(flatten(list('back', shownValues), list('kept', shownValues)), undoneList);
    for (const [count, what] of [
      [restored, 'restored'],
      [kept, 'left unchanged'],
    ] as const)
      if (count > shownValues) out.note(`… and ${count - shownValues} more would be ${what}; --json shows all.`);
    await out.show(null, `\n${describeSummary(summary)}\nNothing was applied.`, summaryTints);
  });
}

async function* flatten<T>(...lists: AsyncIterable<T[]>[]): AsyncGenerator<T> {
  for (const list of lists) for await (const page of list) yield* page;
}

/** Aborted by the first SIGINT or SIGTERM. */
function untilSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

async function showEnd(run: Run, out: Pick<Output, 'show'>): Promise<void> {
  const summary = summaryOf(run);
  if (run.state === 'failed' || summary === null) {
    throw new OperationError(
      'failed',
      `run ${run.id} failed: ${run.failure}${run.kind === 'undo' ? '' : '; its files are queued again'}`,
    );
  }
  await out.show(summary, describeSummary(summary), summaryTints);
  if (run.state === 'held')
    throw new OperationError(
      'refused',
      `run ${run.id} is held: see "dropslot runs show ${run.id} --changes", then "dropslot runs approve ${run.id}" or "dropslot runs reject ${run.id}"`,
    );
  if (run.state === 'superseded')
    throw new OperationError(
      'refused',
      `run ${run.id} applied nothing: the sender replaced or removed one of its files meanwhile; the others are queued again`,
    );
  failWhenRefused(summary, 'refused');
}

/** The summary has the reasons; the exit code tells scripts. */
function failWhenRefused(summary: RunSummary, what: string): void {
  const refused = summary.files.filter(({ refusal }) => refusal !== null).map(nameFile);
  if (refused.length > 0) throw new OperationError('failed', `${what}: ${refused.join(', ')}`);
}

const howToListChanges = 'For a list of the changes (who, column, before, after) add --changes changes.csv.';

function writeListTo(file: string): (text: string) => Promise<string> {
  return async (text) => {
    await writePrivateFile(file, once(text));
    return file;
  };
}

function changesSomething({ users, teams, files }: RunSummary): boolean {
  const isCreated = files.some(({ newFields = [] }) => newFields.length > 0);
  return (
    isCreated ||
    [users, teams].some(
      ({ created, updated, deactivated, scheduled, stubs }) => created + updated + deactivated + scheduled + stubs > 0,
    )
  );
}

/** The values of an option that may be repeated. */
function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}
