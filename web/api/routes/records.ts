/** Routes of records: events, and the audit trail with its proof. */
import { z } from 'zod';
import { type AuditRecord, proveAudit, readKeptHead, walkRecords } from '../../../operations/audit.js';
import { type EventPlace, walkEvents } from '../../../operations/events.js';
import { isoTime } from '../../../operations/format.js';
import { eventToJson } from '../../../operations/forms/records.js';
import { inOnePlace } from '../../../operations/places.js';
import type { Workplace } from '../../../operations/workplace.js';
import { count, orgParams, pageByKey, pageOf, pageQuery, readNumber, readText, time, wrongCursor } from '../forms.js';
import { type Route, route } from '../route.js';

const timed = pageQuery.extend({ since: time.optional(), until: time.optional() });
const eventQuery = timed.extend({ type: z.string().max(200).optional() });

const event = z.strictObject({
  id: z.string(),
  type: z.string(),
  org: z.string().nullable(),
  at: time,
  run: count.nullable(),
  subject: z.string(),
});

const record = z.strictObject({
  seq: count,
  time,
  org: z.string().nullable(),
  actor: z.string(),
  action: z.string(),
  subject: z.string(),
  detail: z.record(z.string(), z.unknown()),
  hash: z.string(),
});

function between({ since, until }: { since?: string | undefined; until?: string | undefined }) {
  return {
    ...(since !== undefined && { since: Date.parse(since) }),
    ...(until !== undefined && { until: Date.parse(until) }),
  };
}

function listEvents(workplace: Workplace, org: string | undefined, query: z.infer<typeof eventQuery>) {
  const { type } = query;
  const filter = { ...(org !== undefined && { org }), ...(type !== undefined && { type }), ...between(query) };
  const events = walkEvents(workplace, filter, readPlace(query));
  return pageByKey(events, query, ({ place }) => `${place.control}-${place.directory}`, eventToJson);
}

/** undefined: the list begins. @throws OperationError `usage` */
function readPlace(query: z.infer<typeof eventQuery>): EventPlace | undefined {
  const text = readText(query);
  if (text === undefined) return undefined;
  const numbers = /^(\d{1,15})-(\d{1,15})$/.exec(text);
  if (numbers === null) throw wrongCursor();
  return { control: Number(numbers[1]), directory: Number(numbers[2]) };
}

function listRecords(workplace: Workplace, org: string | undefined, query: z.infer<typeof timed>) {
  const records = walkRecords(workplace, { org, after: readNumber(query), ...between(query) });
  const toJson = ({ seq, at, org: of, actor, action, subject, detail, hash }: AuditRecord) => ({
    ...{ seq, time: isoTime(at), org: of, actor, action, subject, detail: JSON.parse(detail), hash },
  });
  return pageByKey(records, query, ({ seq }) => seq, toJson);
}

export const recordRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/events',
    summary: 'Events of all organizations, oldest first',
    right: 'read',
    isOfServer: true,
    query: eventQuery,
    answer: pageOf(event),
    handle: ({ workplace, query }) => listEvents(workplace, undefined, query),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/events',
    summary: 'Events of an organization, oldest first',
    right: 'read',
    params: orgParams,
    query: eventQuery,
    answer: pageOf(event),
    handle: async ({ workplace, params, query }) => listEvents(workplace, (await workplace.org(params.org)).id, query),
  }),
  route({
    method: 'GET',
    path: '/audit',
    summary: 'The audit trail, oldest first',
    right: 'audit',
    isOfServer: true,
    query: timed,
    answer: pageOf(record),
    handle: ({ workplace, query }) => listRecords(workplace, undefined, query),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/audit',
    summary: 'Records of the audit trail about an organization, oldest first',
    right: 'audit',
    params: orgParams,
    query: timed,
    answer: pageOf(record),
    handle: async ({ workplace, params, query }) => listRecords(workplace, (await workplace.org(params.org)).id, query),
  }),
  route({
    method: 'GET',
    path: '/audit/proof',
    summary: 'Whether a record of the audit trail was changed or removed; with the head that was kept elsewhere',
    right: 'audit',
    isOfServer: true,
    query: z.strictObject({ expect: z.string().max(200).optional() }),
    answer: z.strictObject({
      head: z.strictObject({ count, hash: z.string() }),
      flaws: z.array(z.strictObject({ seq: count.nullable(), what: z.string() })),
      flawCount: count,
      expected: z.enum(['found', 'missing']).nullable(),
    }),
    handle: ({ workplace, query, busy }) =>
      inOnePlace(busy, 'audit proof', () =>
        proveAudit(workplace, query.expect === undefined ? null : readKeptHead(query.expect)),
      ),
  }),
];
