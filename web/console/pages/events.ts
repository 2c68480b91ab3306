/** Events of all organizations, by type, organization and time; delivered again; and the state of those who get them. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { type ListedEvent, listTypes, replayEvents, walkEvents, walkLastEvents } from '../../../operations/events.js';
import { readSince } from '../../../operations/since.js';
import {
  type Delivery,
  enable,
  getSubscriber,
  kindOfSubscriber,
  listAllSubscribers,
  listAttempts,
  type Subscriber,
} from '../../../operations/subscribers.js';
import { type Html, html } from '../html.js';
import { facts, field, ofOrg, pager, select, table, tag, time, withQuery } from '../layout.js';
import { action, type Call, type ConsoleRoute, type Outcome, type Page, page } from '../route.js';
import { texts } from '../texts/texts.js';
import { runPath } from './runview.js';

const t = texts.events;
const here = '/events';
const ofSubscribers = '/events/subscribers';
const pageEvents = 100;

interface Wanted {
  org?: string;
  type?: string;
  since?: number;
}

/** @throws OperationError `usage` */
function readFilter(given: Readonly<Record<string, string>>, now: number): Wanted {
  const { org = '', type = '', since = '' } = given;
  return {
    ...(org.trim() !== '' && { org: org.trim() }),
    ...(type.trim() !== '' && { type: type.trim() }),
    ...(since.trim() !== '' && { since: readSince('since', since, now) }),
  };
}

async function show(call: Call): Promise<Page> {
  const { workplace, query, account, token, form } = call;
  const given = form.to === undefined ? query : form;
  const filter = readFilter(query, workplace.now());
  const isFiltered = Object.keys(filter).length > 0 || query.after !== undefined;
  const { events, next } = isFiltered
    ? await find(call, filter)
    : { events: (await walkLastEvents(workplace, pageEvents)).reverse(), next: null };
  const subscribers = await listAllSubscribers(workplace);
  return {
    title: t.title,
    body: html`<div class="head"><h1>${t.title}</h1><a class="button quiet" href="${ofSubscribers}">${t.subscribers}</a></div>
<p class="lead">${t.lead}</p>
<form method="get" class="row" role="search">${field('type', t.type, { value: query.type, hint: t.typeHint, isRequired: false, options: listTypes().map(({ name }) => name) })}
${field('org', t.organization, { value: query.org, isRequired: false })}${field('since', t.since, { value: query.since, hint: t.sinceHint, isRequired: false })}<button class="quiet">${t.find}</button></form>
<p class="soft small">${isFiltered ? t.oldestFirst : t.newestFirst}</p>
${eventTable(events)}
${pager(query.after === undefined ? null : withQuery(call, { after: null }), next)}
${hasRight(account, 'server.operate') && subscribers.length > 0 && replayForm(token, given, subscribers)}`,
  };
}

function eventTable(events: readonly ListedEvent[]): Html {
  return table(
    t.title,
    [
      { title: t.at, cell: ({ at }) => time(at, 'UTC') },
      { title: t.type, cell: ({ type }) => html`<code class="whole">${type}</code>` },
      { title: t.organization, cell: ({ org }) => org !== null && html`<a href="${ofOrg(org)}">${org}</a>` },
      { title: t.subject, cell: ({ subject }) => html`<span class="id">${subject}</span>` },
      {
        title: t.run,
        cell: ({ org, run }) => run !== null && org !== null && html`<a href="${runPath({ org, id: run })}">${run}</a>`,
      },
      { title: t.id, cell: ({ id }) => html`<code class="id">${id}</code>` },
    ],
    events,
    t.empty,
  );
}

/** The oldest first, since the two databases have no common order: the place after the last one continues the list. */
async function find(call: Call, filter: Wanted): Promise<{ events: ListedEvent[]; next: string | null }> {
  const [, control = '0', directory = '0'] = /^(\d{1,15})-(\d{1,15})$/.exec(call.query.after ?? '') ?? [];
  const after = { control: Number(control), directory: Number(directory) };
  const events: ListedEvent[] = [];
  let place = after;
  for await (const { place: at, ...event } of walkEvents(call.workplace, filter, after)) {
    if (events.length >= pageEvents)
      return { events, next: withQuery(call, { after: `${place.control}-${place.directory}` }) };
    events.push(event);
    place = at;
  }
  return { events, next: null };
}

function replayForm(token: Html, given: Call['form'], subscribers: readonly Subscriber[]): Html {
  const choices = subscribers
    .filter(({ state }) => state === 'enabled')
    .map((one) => ({ value: one.id, text: `${kindOfSubscriber(one).noun} ${describeSubscriber(one)}` }));
  return html`<details class="card"${given.to !== undefined && html` open`}><summary>${t.replay}</summary><form method="post" action="${here}/replay" class="stack">${token}<p class="soft">${t.replayText}</p>
${select('to', t.to, [{ value: '', text: t.toAll }, ...choices], given.to)}
<div class="field"><label for="replay-type">${t.type}</label><input id="replay-type" name="type" value="${given.type}"></div>
<div class="field"><label for="replay-org">${t.organization}</label><input id="replay-org" name="org" value="${given.org}"></div>
<div class="field"><label for="replay-since">${t.since}</label><input id="replay-since" name="since" value="${given.since}" required aria-describedby="replay-hint"><span class="hint" id="replay-hint">${t.sinceHint}</span></div>
<button class="quiet">${t.replaySubmit}</button></form></details>`;
}

async function replay({ workplace, form }: Call): Promise<Outcome> {
  const filter = readFilter(form, workplace.now());
  await replayEvents(workplace, filter, (form.to ?? '') === '' ? null : form.to!);
  return { to: `${here}?done=replayed` };
}

function describeSubscriber({ options, description, name, id }: Subscriber): string {
  const { url, address, command, target } = options;
  const named = description ?? name ?? [url, address, command, target].find((one) => typeof one === 'string');
  return typeof named === 'string' ? named : id;
}

async function showSubscribers(call: Call): Promise<Page> {
  const { workplace, query, token, account } = call;
  const all = await listAllSubscribers(workplace);
  const chosen = query.id === undefined || query.id === '' ? null : await getSubscriber(workplace, null, query.id);
  const may = hasRight(account, 'server.operate');
  const reenable = ({ id, state }: Subscriber) =>
    may &&
    state === 'disabled' &&
    html`<form method="post" action="${ofSubscribers}/enable">${token}<input type="hidden" name="id" value="${id}"><button class="link">${t.enable}<span class="hidden"> ${id}</span></button></form>`;
  return {
    title: t.subscribers,
    body: html`<div class="tight"><h1>${t.subscribers}</h1><p class="lead">${t.subscribersText}</p><p><a href="${here}">${t.back}</a></p></div>
${table(
  t.subscribers,
  [
    {
      title: t.to,
      cell: (one) => html`<a href="${withQuery(call, { id: one.id })}">${describeSubscriber(one)}</a>`,
    },
    { title: t.kind, cell: (one) => kindOfSubscriber(one).noun },
    { title: t.organization, cell: ({ org }) => org ?? t.all },
    { title: t.types, cell: ({ types }) => types.join(', ') },
    { title: t.state, cell: showState },
    { title: t.next, cell: ({ nextAt, failures }) => failures > 0 && time(nextAt, 'UTC') },
    { title: '', cell: reenable },
  ],
  all,
  t.noSubscribers,
)}
${chosen !== null && showDeliveries(chosen, await listAttempts(workplace, kindOfSubscriber(chosen), chosen.id))}`,
  };
}

function showState({ state, reason, failures, failingSince }: Subscriber): Html {
  if (state === 'disabled') return html`${tag('bad', t.disabled)} ${reason}`;
  if (failures === 0) return tag('good', t.enabled);
  return html`${tag('wait', t.failing(failures))} ${t.failingSince} ${time(failingSince, 'UTC')}`;
}

function showDeliveries(subscriber: Subscriber, deliveries: readonly Delivery[]): Html {
  return html`<section class="stack"><h2>${t.deliveries(describeSubscriber(subscriber))}</h2>
${facts([
  [t.id, html`<code>${subscriber.id}</code>`],
  [t.added, time(subscriber.createdAt, 'UTC')],
])}${table(
  t.attempts,
  [
    { title: t.at, cell: ({ at }) => time(at, 'UTC') },
    { title: t.type, cell: ({ type, events }) => (events > 1 ? t.batch(events) : type) },
    { title: t.id, cell: ({ event }) => html`<code class="whole">${event}</code>` },
    { title: t.attempt, cell: ({ attempt }) => attempt, isNumber: true },
    { title: t.took, cell: ({ ms }) => t.ms(ms), isNumber: true },
    {
      title: t.result,
      cell: ({ outcome, detail }) =>
        html`${tag(outcome === 'delivered' ? 'good' : 'bad', t.outcomes[outcome])} ${detail}`,
    },
  ],
  deliveries,
  t.noDeliveries,
)}</section>`;
}

export const eventRoutes: readonly ConsoleRoute[] = [
  page(here, 'server.read', show),
  page(ofSubscribers, 'server.read', showSubscribers),
  action(`${here}/replay`, 'server.operate', here, replay),
  action(`${ofSubscribers}/enable`, 'server.operate', ofSubscribers, async ({ workplace, form }) => {
    const subscriber = await getSubscriber(workplace, null, form.id ?? '');
    await enable(workplace, kindOfSubscriber(subscriber), subscriber.id, false);
    return { to: `${ofSubscribers}?done=saved` };
  }),
];
