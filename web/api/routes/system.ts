/** Routes of the server itself: its settings, and the events that it can deliver again. */
import { z } from 'zod';
import { describeSchemas, listTypes, replayEvents, showEvent } from '../../../operations/events.js';
import { pageByPlace, pageOf, pageQuery, time } from '../forms.js';
import { type Route, route } from '../route.js';

const setting = z.strictObject({
  name: z.string(),
  /** As the settings file would have it; null: it has no value. */
  value: z.unknown(),
  /** `default`, `command line`, the environment variable, or the settings file. */
  origin: z.string(),
});

const eventType = z.strictObject({
  type: z.string(),
  meaning: z.string(),
  /** Keys of `data` with personal data. */
  personal: z.array(z.string()),
});

const eventId = z.string().regex(/^evt_\w{1,60}$/, 'must be evt_… as lists show it');

export const systemRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/settings',
    summary: 'Settings that the server works by, each with its origin; secrets are left out',
    right: 'admin',
    isOfServer: true,
    query: pageQuery,
    answer: pageOf(setting),
    handle: async ({ settings, query }) =>
      pageByPlace(settings, query, ({ name, value, origin }) => ({ name, value, origin })),
  }),
  route({
    method: 'GET',
    path: '/event-types',
    summary: 'Types of events, with their meaning',
    right: 'read',
    query: pageQuery,
    answer: pageOf(eventType),
    handle: async ({ query }) =>
      pageByPlace(listTypes(), query, ({ name, meaning, personal }) => ({
        type: name,
        meaning,
        personal: [...personal],
      })),
  }),
  route({
    method: 'GET',
    path: '/event-schemas',
    summary: 'The JSON Schemas (draft 2020-12) of events, by their types',
    right: 'read',
    answer: z.record(z.string(), z.record(z.string(), z.unknown())),
    handle: async () => describeSchemas(null),
  }),
  route({
    method: 'GET',
    path: '/events/{event}',
    summary: 'An event as a subscriber gets it, without personal data',
    right: 'read',
    isOfServer: true,
    params: z.strictObject({ event: eventId }),
    answer: z.strictObject({
      id: z.string(),
      type: z.string(),
      org: z.string().nullable(),
      at: time,
      version: z.union([z.number(), z.string()]),
      data: z.record(z.string(), z.unknown()),
    }),
    handle: async ({ workplace, params }) => {
      const { id, type, org, at, version, data } = await showEvent(workplace, params.event, false);
      return { id, type, org, at, version, data };
    },
  }),
  route({
    method: 'POST',
    path: '/events/replay',
    summary: 'Deliver events again, to one subscriber or to every enabled one',
    right: 'operate',
    isOfServer: true,
    body: z.strictObject({
      to: z.string().max(60).nullable().default(null),
      org: z.string().max(64).optional(),
      type: z.string().max(200).optional(),
      since: time.optional(),
      until: time.optional(),
    }),
    answer: z.strictObject({ subscribers: z.array(z.string()) }),
    status: 202,
    handle: async ({ workplace, body: { to, org, type, since, until } }) => ({
      subscribers: await replayEvents(
        workplace,
        {
          ...(org !== undefined && { org: (await workplace.org(org)).id }),
          ...(type !== undefined && { type }),
          ...(since !== undefined && { since: Date.parse(since) }),
          ...(until !== undefined && { until: Date.parse(until) }),
        },
        to,
      ),
    }),
  }),
];
