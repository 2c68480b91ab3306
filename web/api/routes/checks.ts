/** The route that checks a file, and applies and stores nothing of it. */
import { z } from 'zod';
import { OperationError } from '../../../operations/error.js';
import { issueToJson } from '../../../operations/forms/runs.js';
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
    handle: async ({ workplace, params, query: { name }, body: bytes, busy }) => {
      await workplace.org(params.org);
      // One at a time: it uses a core and, for its file, memory.
      if (busy.has('check'))
        throw new OperationError('unavailable', 'another file is checked now: try it again in some seconds');
      busy.add('check');
      try {
        const issues: Issue[] = [];
        let issueCount = 0;
        const onIssues = (page: Issue[]) => {
          issueCount += page.length;
          issues.push(...page.slice(0, mostIssues - issues.length));
        };
        const signal = AbortSignal.timeout(longestMs);
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
        busy.delete('check');
      }
    },
  }),
];
