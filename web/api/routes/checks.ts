/** The route that checks a file, and applies and stores nothing of it. */
import { z } from 'zod';
import { OperationError } from '../../../operations/error.js';
import { issueToJson } from '../../../operations/forms/runs.js';
import { checkShares, takeShare } from '../../../operations/places.js';
import { checkBytes } from '../../../operations/runs.js';
import type { Issue } from '../../../operations/runsummary.js';
import { count, fileBody, issue, orgParams } from '../forms.js';
import { type Route, route } from '../route.js';

const mostIssues = 1_000;
const longestMs = 55_000;

export const checkRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/orgs/{org}/checks',
    summary: `Check a file of at most 10 MiB as an import would now; applies and stores nothing. The first ${mostIssues} issues`,
    right: 'operate',
    params: orgParams,
    query: z.strictObject({ name: z.string().min(1).max(255).default('users.csv') }),
    body: fileBody,
    answer: z.strictObject({
      state: z.string(),
      verdict: z.string(),
      users: z.record(z.string(), count),
      teams: z.record(z.string(), count),
      issues: z.array(issue),
      issueCount: count,
    }),
    admit: async ({ workplace, params, busy }) => {
      const { id } = await workplace.org(params.org);
      const leave = takeShare(busy, 'check', id, checkShares);
      if (leave === null)
        throw new OperationError('unavailable', 'other files are checked now: try it again in some seconds');
      return leave;
    },
    handle: async ({ workplace, params, query: { name }, body: bytes, checks }) => {
      const begunAt = performance.now();
      const endTurn = await checks.wait(params.org);
      try {
        const issues: Issue[] = [];
        let issueCount = 0;
        const onIssues = (page: Issue[]) => {
          issueCount += page.length;
          issues.push(...page.slice(0, mostIssues - issues.length));
        };
        const signal = AbortSignal.timeout(Math.max(1, Math.round(longestMs - (performance.now() - begunAt))));
        const { summary, verdict } = await checkBytes(workplace, params.org, { name, bytes }, { onIssues }, signal);
        return {
          state: summary.state,
          verdict,
          users: summary.users,
          teams: summary.teams,
          issues: issues.map(issueToJson),
          issueCount,
        };
      } finally {
        endTurn();
      }
    },
  }),
];
