/** Routes of the texts for the people of an organization: the welcome sheet, and templates of the files that they send. */
import { z } from 'zod';
import { welcomeToJson } from '../../../operations/forms/orgs.js';
import { makeTemplates } from '../../../operations/templates.js';
import { makeWelcome } from '../../../operations/welcome.js';
import { count, orgParams, time } from '../forms.js';
import { type Route, route } from '../route.js';

export const sheetRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/orgs/{org}/welcome',
    summary: 'The sheet for a new customer: everything that its people need to send their first file, and no secret',
    right: 'read',
    params: orgParams,
    query: z.strictObject({
      /** Where clients connect to; without them as the settings publicHost and publicPort say. */
      host: z.string().min(1).max(253).optional(),
      port: z.coerce.number().int().min(1).max(65_535).optional(),
    }),
    answer: z.strictObject({
      org: z.string(),
      host: z.string(),
      port: count,
      user: z.string(),
      hostKeys: z.array(
        z.strictObject({
          type: z.string(),
          state: z.string(),
          fingerprint: z.string(),
          knownHosts: z.string().optional(),
        }),
      ),
      contact: z.string().nullable(),
      nextSlotAt: time,
      /** The sheet itself. */
      text: z.string(),
    }),
    handle: async ({ workplace, params, query: { host, port } }) => {
      const given = { ...(host !== undefined && { host }), ...(port !== undefined && { port }) };
      return welcomeToJson(await makeWelcome(workplace, params.org, given));
    },
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/templates',
    summary: 'Template files with the labels of an organization and its own fields, as clients find them in /templates',
    right: 'read',
    params: orgParams,
    answer: z.strictObject({ templates: z.array(z.strictObject({ name: z.string(), text: z.string() })) }),
    handle: async ({ workplace, params }) => ({
      templates: (await makeTemplates(workplace, params.org)).map(({ name, text }) => ({ name, text })),
    }),
  }),
];
