/** Routes of what gets events: webhooks and exports that flow on by themselves, of one organization and of the server; hooks and handlers. */
import { z } from 'zod';
import { OperationError } from '../../../operations/error.js';
import { addExport, runExport } from '../../../operations/exports/exports.js';
import { deliveryToJson, subscriberToJson } from '../../../operations/forms/subscribers.js';
import {
  commandKind,
  disable,
  enable,
  exportKind,
  getSubscriber,
  handlerKind,
  listAttempts,
  listOfKind,
  removeSubscriber,
  resend,
  type Subscriber,
  type SubscriberKind,
  testSubscriber,
  webhookKind,
} from '../../../operations/subscribers.js';
import { addWebhook, rotateSecret } from '../../../operations/webhooks.js';
import type { Workplace } from '../../../operations/workplace.js';
import { count, maybeTime, orgParams, pageByPlace, pageOf, pageQuery, pick, time } from '../forms.js';
import { type Route, route } from '../route.js';

const maybeText = z.string().nullable();
const text = z.string().min(1).max(2_000);

const state = {
  id: z.string(),
  org: maybeText,
  types: z.array(z.string()),
  description: maybeText,
  state: z.enum(['enabled', 'disabled']),
  reason: maybeText,
  createdAt: time,
  failures: count,
  failingSince: maybeTime,
  nextAttemptAt: maybeTime,
};

const webhook = z.strictObject({
  ...state,
  url: z.string(),
  allowHttp: z.boolean().optional(),
  allowPrivate: z.boolean().optional(),
  batch: count.optional(),
  include: z.array(z.string()),
});

const flow = z.strictObject({
  ...state,
  target: z.record(z.string(), z.unknown()),
  when: z.string(),
  changedOnly: z.boolean(),
  keep: count,
  last: z.strictObject({ event: z.string(), at: time, upTo: count }).optional(),
});

/** Without the program and its arguments, which are for those who have a shell on the machine. */
const hook = z.strictObject({ ...state, batch: count.optional(), include: z.array(z.string()) });

const handler = hook.extend({ name: z.string(), seenAt: maybeTime });

const delivery = z.strictObject({
  at: time,
  ms: count,
  event: z.string(),
  type: z.string(),
  events: count,
  attempt: count,
  outcome: z.string(),
  detail: z.string(),
});

const outcome = z.strictObject({ id: z.string(), delivered: z.boolean(), detail: z.string() });

const sharedParams = { id: z.string().regex(/^sub_\w{1,40}$/, 'must be sub_… as lists show it') };

interface Place {
  prefix: string;
  isOfServer: boolean;
}

const ofOrg: Place = { prefix: '/orgs/{org}', isOfServer: false };
const ofServer: Place = { prefix: '', isOfServer: true };

const kinds = {
  webhooks: { of: webhookKind, form: webhook },
  exports: { of: exportKind, form: flow },
  hooks: { of: commandKind, form: hook },
  handlers: { of: handlerKind, form: handler },
};

type Params = { org?: string; id: string };
type Group = keyof typeof kinds;

function show(group: Group, one: Subscriber): Record<string, unknown> {
  const { last, ...json } = subscriberToJson(one) as ReturnType<typeof subscriberToJson> & { last?: { at: number } };
  const shown = last === undefined ? json : { ...json, last: { ...last, at: new Date(last.at).toISOString() } };
  return pick(kinds[group].form, shown);
}

/** Of the organization that the path names; a path without one names any. @throws OperationError `not_found` */
async function getOwn(workplace: Workplace, of: SubscriberKind, { org, id }: Params): Promise<Subscriber> {
  const own = org === undefined ? undefined : (await workplace.org(org)).id;
  const found = await getSubscriber(workplace, of, id);
  if (own !== undefined && found.org !== own)
    throw new OperationError('not_found', `there is no ${of.noun} ${id}; see "dropslot ${of.group} list"`);
  return found;
}

type Asked = { workplace: Workplace; params: Params };

const currentOf =
  (group: Group) =>
  async ({ workplace, params }: Asked) =>
    show(group, await getOwn(workplace, kinds[group].of, params));

/** The requests that a kind can have, by the words of their commands. */
const requestsOf = (group: Group, { prefix, isOfServer }: Place) => {
  const { of, form } = kinds[group];
  const { noun } = of;
  const params = isOfServer ? z.strictObject(sharedParams) : orgParams.extend(sharedParams);
  const path = `${prefix}/${group}`;
  const current = currentOf(group);
  const act = (verb: string, summary: string, right: 'admin' | 'operate', work: (asked: Asked) => Promise<unknown>) =>
    route({
      method: 'POST',
      path: `${path}/{id}/${verb}`,
      summary,
      right,
      isOfServer,
      params,
      answer: verb === 'test' || verb === 'run' ? outcome : form,
      current,
      handle: async (call) => {
        await getOwn(call.workplace, of, call.params);
        return (await work(call)) ?? current(call);
      },
    });
  const try_ = async (asked: Asked) => {
    const run = group === 'exports' ? runExport : (place: Workplace, id: string) => testSubscriber(place, of, id);
    const { result, detail } = await run(asked.workplace, asked.params.id);
    return { id: asked.params.id, delivered: result === 'delivered', detail };
  };
  return {
    list: route({
      method: 'GET',
      path,
      summary: isOfServer ? `All ${noun}s` : `The ${noun}s of an organization`,
      right: 'read',
      isOfServer,
      params: isOfServer ? z.strictObject({}) : orgParams,
      query: pageQuery,
      answer: pageOf(form),
      handle: async ({
        workplace,
        params: { org },
        query,
      }: {
        workplace: Workplace;
        params: { org?: string };
        query: z.infer<typeof pageQuery>;
      }) => {
        const own = org === undefined ? undefined : (await workplace.org(org)).id;
        const all = await listOfKind(workplace, of);
        return pageByPlace(
          all.filter((one) => own === undefined || one.org === own),
          query,
          (one) => show(group, one),
        );
      },
    }),
    show: route({
      method: 'GET',
      path: `${path}/{id}`,
      summary: `One ${noun}, without its secret`,
      right: 'read',
      isOfServer,
      params,
      answer: form,
      handle: current,
    }),
    remove: route({
      method: 'DELETE',
      path: `${path}/{id}`,
      summary: `Remove one ${noun}`,
      right: 'admin',
      isOfServer,
      params,
      answer: form,
      current,
      handle: async (call) => {
        const shown = await current(call);
        await removeSubscriber(call.workplace, of, call.params.id);
        return shown;
      },
    }),
    disable: act('disable', `Stop the deliveries of one ${noun}`, 'admin', ({ workplace, params: { id } }) =>
      disable(workplace, of, id),
    ),
    enable: route({
      method: 'POST',
      path: `${path}/{id}/enable`,
      summary: `Begin the deliveries of one ${noun} again; "fromNow" leaves out the events that it has not had`,
      right: 'admin',
      isOfServer,
      params,
      query: z.strictObject({ fromNow: z.enum(['true', 'false']).default('false') }),
      answer: form,
      current,
      handle: async ({ workplace, params: at, query }) => {
        await getOwn(workplace, of, at);
        await enable(workplace, of, at.id, query.fromNow === 'true');
        return current({ workplace, params: at });
      },
    }),
    try:
      group === 'exports'
        ? act('run', 'Make one export now', 'operate', try_)
        : act('test', `Send a test event to one ${noun}`, 'operate', try_),
    deliveries: route({
      method: 'GET',
      path: `${path}/{id}/deliveries`,
      summary: `The last deliveries of one ${noun}, the newest first`,
      right: 'read',
      isOfServer,
      params,
      query: pageQuery,
      answer: pageOf(delivery),
      handle: async ({ workplace, params: at, query }) => {
        await getOwn(workplace, of, at);
        return pageByPlace(await listAttempts(workplace, of, at.id), query, deliveryToJson);
      },
    }),
    resend: route({
      method: 'POST',
      path: `${path}/{id}/resend`,
      summary: `Deliver an event to a ${noun} again`,
      right: 'admin',
      isOfServer,
      params,
      body: z.strictObject({ event: z.string().min(1).max(100) }),
      answer: form,
      current,
      handle: async ({ workplace, params: at, body }) => {
        await getOwn(workplace, of, at);
        await resend(workplace, of, at.id, body.event);
        return current({ workplace, params: at });
      },
    }),
  };
};

/** All but `resend`. */
function common(group: Group, place: Place): Route[] {
  const { resend: _resend, ...rest } = requestsOf(group, place);
  return Object.values(rest);
}

/** null: in the answer to a repetition with the same Idempotency-Key. */
const withSecret = webhook.extend({ secret: z.string().nullable() });

const webhooksOf = ({ prefix, isOfServer }: Place): Route[] => {
  const params = isOfServer ? z.strictObject(sharedParams) : orgParams.extend(sharedParams);
  const isOf = { isOfServer, right: 'admin' as const };
  const current = currentOf('webhooks');
  return [
    ...common('webhooks', { prefix, isOfServer }),
    route({
      ...isOf,
      method: 'POST',
      path: `${prefix}/webhooks`,
      summary: `Add a webhook${isOfServer ? ' for all organizations and the server' : ''}; its secret is shown once`,
      params: isOfServer ? z.strictObject({}) : orgParams,
      body: z.strictObject({
        url: text,
        types: text.default('*'),
        description: z.string().max(200).optional(),
        personal: z.boolean().default(false),
        batch: z.int().min(1).max(1_000).optional(),
        allowHttp: z.boolean().default(false),
        allowPrivate: z.boolean().default(false),
      }),
      answer: withSecret,
      status: 201,
      handle: async ({ workplace, token, params: at, body }) => {
        const { org } = at as { org?: string };
        const { personal, description, batch, ...rest } = body;
        // A customer's token must not make this server connect to addresses inside the operator's network.
        if (token.org !== null && (rest.allowHttp || rest.allowPrivate))
          throw new OperationError('refused', 'allowHttp and allowPrivate are for tokens of all organizations');
        const added = await addWebhook(workplace, {
          ...rest,
          ...(org !== undefined && { org }),
          ...(description !== undefined && { description }),
          ...(batch !== undefined && { batch }),
          ...(personal && { include: 'personal' }),
        });
        return { ...show('webhooks', await getSubscriber(workplace, webhookKind, added.id)), secret: added.secret };
      },
    }),
    route({
      ...isOf,
      method: 'POST',
      path: `${prefix}/webhooks/{id}/rotate-secret`,
      summary: 'Give a webhook a new secret, shown once; the old one also signs for some hours',
      params,
      body: z.strictObject({ keepHours: z.number().min(0).max(168).default(24) }),
      answer: withSecret,
      current,
      handle: async ({ workplace, params: at, body }) => {
        await getOwn(workplace, webhookKind, at);
        const { secret } = await rotateSecret(workplace, at.id, body.keepHours * 3_600_000);
        return { ...(await current({ workplace, params: at })), secret };
      },
    }),
    requestsOf('webhooks', { prefix, isOfServer }).resend,
  ];
};

/** Of programs of the server: read and stopped, never set up or started. */
function hooks(): Route[] {
  const { list, show: one, disable: stop, deliveries } = requestsOf('hooks', ofServer);
  return [list, one, stop, deliveries];
}

/** Functions of the program that embeds the server, which adds them itself. */
function handlers(): Route[] {
  const { try: _try, ...rest } = requestsOf('handlers', ofServer);
  return Object.values(rest);
}

export const subscriberRoutes: readonly Route[] = [
  ...webhooksOf(ofOrg),
  ...webhooksOf(ofServer),
  ...hooks(),
  ...handlers(),
  ...common('exports', ofOrg),
  route({
    method: 'POST',
    path: '/orgs/{org}/exports',
    summary: 'Write users and teams to an SFTP server or into /exports, after each run or daily',
    right: 'admin',
    params: orgParams,
    body: z.strictObject({
      to: text.optional(),
      key: z.string().min(1).max(32_000).optional(),
      hostKey: text.optional(),
      toFolder: text.optional(),
      changedOnly: z.boolean().optional(),
      when: text.optional(),
      allowPrivate: z.boolean().optional(),
      keep: z.int().min(1).max(1_000).optional(),
      description: z.string().max(200).optional(),
    }),
    answer: flow,
    status: 201,
    handle: async ({ workplace, token, params, body }) => {
      if (token.org !== null && body.allowPrivate === true)
        throw new OperationError('refused', 'allowPrivate is for tokens of all organizations');
      const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
      const { id } = await addExport(workplace, params.org, given);
      return show('exports', await getSubscriber(workplace, exportKind, id));
    },
  }),
];
