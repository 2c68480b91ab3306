/** Routes of runs: list, show, import now, approve, reject, retry, undo. */
import { z } from 'zod';
import { withRunChanges } from '../../../operations/changes.js';
import { OperationError } from '../../../operations/error.js';
import { isoTime } from '../../../operations/format.js';
import { changeToJson, runToJson } from '../../../operations/forms/runs.js';
import { reopenRun } from '../../../operations/retry.js';
import {
  approveCounted,
  getRun,
  listRunsOf,
  openImport,
  openUndo,
  rejectHeldRun,
  runStates,
} from '../../../operations/runs.js';
import { type Run, summaryOf } from '../../../operations/runsummary.js';
import type { Workplace } from '../../../operations/workplace.js';
import {
  count,
  maybeTime,
  orgParams,
  pageByKey,
  pageByPlace,
  pageOf,
  pageQuery,
  pick,
  readNumber,
  runParams,
  time,
} from '../forms.js';
import { type Route, route } from '../route.js';

const run = z.strictObject({
  id: count,
  org: z.string(),
  kind: z.string(),
  slotDate: z.string().nullable(),
  state: z.enum(runStates),
  openedAt: time,
  startedAt: maybeTime,
  finishedAt: maybeTime,
  attempts: count,
  failure: z.string().nullable(),
  undoes: count.nullable(),
  heldAt: maybeTime,
  /** Of the changes that were counted when it was held: an approval names it. */
  digest: z.string().nullable(),
  approvedBy: z.string().nullable(),
  /** Counts and files, once they are known. */
  summary: z.record(z.string(), z.unknown()).nullable(),
});

const change = z.strictObject({
  file: z.string().nullable(),
  line: count.nullable(),
  what: z.enum(['user', 'team', 'field']),
  name: z.string(),
  column: z.string(),
  before: z.string().nullable(),
  after: z.string().nullable(),
  /** Of a user, team or field that it creates: the values by their columns. */
  created: z.record(z.string(), z.string()).nullable(),
});

const listQuery = pageQuery.extend({ state: z.enum(runStates).optional(), since: time.optional() });
const note = z.string().max(1_000).nullable().default(null);
/** A page of changes is listed from the first one: bounded, so that it stays quick. */
const mostChanges = 10_000;

export function showRun(one: Run): unknown {
  const { hold, approval } = one;
  return pick(run, {
    ...runToJson(one),
    heldAt: isoTime(hold?.at ?? null),
    digest: hold?.digest ?? null,
    approvedBy: approval?.by ?? null,
    summary: summaryToJson(one),
  });
}

/** As the reports have it, with times as ISO 8601. */
function summaryToJson(one: Run): unknown {
  const summary = summaryOf(one);
  if (summary === null) return null;
  const { startedAt, appliedAt = null, rejectedAt = null, ...rest } = summary;
  return {
    ...rest,
    startedAt: isoTime(startedAt),
    appliedAt: isoTime(appliedAt),
    rejectedAt: isoTime(rejectedAt),
  };
}

/** The run, if it is of this organization; one of another looks like one that does not exist. @throws OperationError `not_found` */
export async function getOwn(workplace: Workplace, { org, run: id }: { org: string; run: string }): Promise<Run> {
  const { id: own } = await workplace.org(org);
  const found = await getRun(workplace, id).catch((error: unknown) => {
    if (error instanceof OperationError && error.code === 'not_found') return null;
    throw error;
  });
  if (found === null || found.org !== own) throw new OperationError('not_found', `${own} has no run ${id}`);
  return found;
}

async function list(workplace: Workplace, org: string | undefined, query: z.infer<typeof listQuery>) {
  const { state, since, limit } = query;
  const rows = await listRunsOf(workplace, {
    org,
    states: state === undefined ? undefined : [state],
    since: since === undefined ? undefined : Date.parse(since),
    before: readNumber(query),
    limit: limit + 1,
  });
  return pageByKey(rows, query, ({ id }) => id, showRun);
}

const current: NonNullable<Parameters<typeof route<typeof runParams>>[0]['current']> = async ({ workplace, params }) =>
  showRun(await getOwn(workplace, params));

/** Each opens a run because of another one. */
const reopenings = {
  retry: { summary: 'Work on a failed or interrupted run again', open: reopenRun },
  undo: { summary: 'Open a run that undoes the changes of this one', open: openUndo },
};

export const runRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/runs',
    summary: 'Runs of all organizations, the newest first',
    right: 'read',
    isOfServer: true,
    query: listQuery,
    answer: pageOf(run),
    handle: ({ workplace, query }) => list(workplace, undefined, query),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/runs',
    summary: 'Runs of an organization, the newest first',
    right: 'read',
    params: orgParams,
    query: listQuery,
    answer: pageOf(run),
    handle: ({ workplace, params, query }) => list(workplace, params.org, query),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/runs/{run}',
    summary: 'A run with its counts',
    right: 'read',
    params: runParams,
    answer: run,
    handle: async ({ workplace, params }) => showRun(await getOwn(workplace, params)),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/runs/{run}/changes',
    summary: `The first ${mostChanges} values that a run changed, or that a held run would change; the most severe first`,
    right: 'read',
    params: runParams,
    query: pageQuery,
    answer: pageOf(change).extend({ isApplied: z.boolean(), isAsCounted: z.boolean(), total: count }),
    handle: async ({ workplace, params, query }) => {
      const { id } = await getOwn(workplace, params);
      let answer: unknown;
      await withRunChanges(workplace, String(id), async ({ isApplied, isAsCounted, total, list: read }) => {
        const most = Math.min(mostChanges, (readNumber(query) ?? 0) + query.limit + 1);
        const page = await pageByPlace(read(most), query, changeToJson);
        answer = { ...page, isApplied, isAsCounted, total };
      });
      return answer;
    },
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/imports',
    summary: 'Import the queued files now; the answer does not wait for the end of the run',
    right: 'operate',
    params: orgParams,
    answer: run,
    status: 202,
    handle: async ({ workplace, params }) =>
      showRun(await getRun(workplace, String(await openImport(workplace, params.org)))),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/runs/{run}/approve',
    summary: 'Approve exactly the changes of a held run that the digest names',
    right: 'operate',
    params: runParams,
    body: z.strictObject({ digest: z.string().min(1).max(200), note }),
    answer: run,
    status: 202,
    current,
    handle: async ({ workplace, params, body }) => {
      const { id } = await getOwn(workplace, params);
      return showRun(await approveCounted(workplace, String(id), body.note, body.digest));
    },
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/runs/{run}/reject',
    summary: 'Reject a held run, or some of its files',
    right: 'operate',
    params: runParams,
    body: z.strictObject({ note, files: z.array(z.string().min(1).max(8_000)).max(1_000).default([]) }),
    answer: run,
    current,
    handle: async ({ workplace, params, body }) => {
      const { id } = await getOwn(workplace, params);
      return showRun(await rejectHeldRun(workplace, String(id), body.note, body.files));
    },
  }),
  ...Object.entries(reopenings).map(([verb, { summary, open }]) =>
    route({
      method: 'POST',
      path: `/orgs/{org}/runs/{run}/${verb}`,
      summary,
      right: 'operate',
      params: runParams,
      answer: run,
      status: 202,
      current,
      handle: async ({ workplace, params }) => {
        const { id } = await getOwn(workplace, params);
        return showRun(await getRun(workplace, String(await open(workplace, String(id)))));
      },
    }),
  ),
];
