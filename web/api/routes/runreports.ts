/** Routes of the work and the results of a run: its issues, page by page, and its progress as it changes. */
import { z } from 'zod';
import { OperationError } from '../../../operations/error.js';
import { issueToJson } from '../../../operations/forms/runs.js';
import { type FileIssue, walkIssues } from '../../../operations/issues.js';
import { type Shares, takeShare } from '../../../operations/places.js';
import { isTokenUsable } from '../../../operations/tokens.js';
import { type RunNews, watchRun } from '../../../operations/watchrun.js';
import { count, issue, pageByPlace, pageOf, pageQuery, runParams } from '../forms.js';
import { type Route, route } from '../route.js';
import { getOwn, showRun } from './runs.js';

const fileIssue = issue.extend({ file: z.string(), line: count.nullable() });

/** A page is read from the first issue on: bounded, so that it stays quick. */
const mostIssues = 100_000;
const streams: Shares = { most: 20, mostOfOrg: 10 };
const longestMs = 3_600_000;

const issueJson = (one: FileIssue) => ({ file: one.file, ...issueToJson(one) });

async function* upTo<T>(rows: AsyncIterable<T>, most: number): AsyncGenerator<T> {
  let left = most;
  for await (const row of rows) {
    if (left-- === 0) return;
    yield row;
  }
}

/** Server-sent events: `progress` as often as it changes, and at last `end` with the run, or null for one that found no files. */
async function* writeEvents(news: AsyncIterable<RunNews>): AsyncGenerator<string> {
  for await (const one of news) {
    if (one.kind === 'quiet') yield ': waiting\n\n';
    else {
      const data = one.kind === 'progress' ? one.progress : one.run === null ? null : showRun(one.run);
      yield `event: ${one.kind}\ndata: ${JSON.stringify(data)}\n\n`;
    }
  }
}

export const runReportRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/orgs/{org}/runs/{run}/issues',
    summary: `The first ${mostIssues} faults, warnings and notices of a run's files; recorded in the audit trail`,
    right: 'read',
    params: runParams,
    query: pageQuery.extend({
      file: z.string().max(8_000).optional(),
      severity: z.enum(['refusal', 'fault', 'warning', 'notice']).optional(),
      code: z.string().max(100).optional(),
    }),
    answer: pageOf(fileIssue),
    handle: async ({ workplace, params, query }) => {
      const run = await getOwn(workplace, params);
      return pageByPlace(upTo(walkIssues(workplace, run, query), mostIssues), query, issueJson);
    },
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/runs/{run}/progress',
    summary: 'Server-sent events: the progress of a run as it changes, and its end',
    right: 'read',
    params: runParams,
    answer: 'text/event-stream',
    handle: async ({ workplace, params, busy, token }) => {
      const { id } = await getOwn(workplace, params);
      const content = async function* () {
        // Here, not before: an answer that was too slow to begin must not keep its place.
        const leave = takeShare(busy, 'progress', params.org, streams);
        try {
          if (leave === null)
            throw new OperationError(
              'unavailable',
              `${streams.most} programs, or ${streams.mostOfOrg} of this organization, follow runs already: get the run every second`,
            );
          const signal = AbortSignal.timeout(longestMs);
          const isWanted = () => isTokenUsable(workplace.control.read, token.id, workplace.now());
          yield* writeEvents(watchRun(workplace, id, { everyMs: 500, quietMs: 15_000, signal, isWanted }));
        } finally {
          leave?.();
        }
      };
      return { content: content(), fileName: null };
    },
  }),
];
