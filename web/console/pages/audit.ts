/** The audit trail: the newest records first; verified and exported. */
import {
  type AuditRecord,
  formatRecord,
  proveAudit,
  readAuditHead,
  searchRecords,
  walkRecords,
} from '../../../operations/audit.js';
import { inOnePlace } from '../../../operations/places.js';
import { readSince } from '../../../operations/since.js';
import { html } from '../html.js';
import { field, notice, pager, table, time, withQuery } from '../layout.js';
import { action, type Call, type ConsoleRoute, type Outcome, type Page, page } from '../route.js';
import { texts } from '../texts/texts.js';

const t = texts.audit;
const pageRecords = 100;

async function show(call: Call): Promise<Page> {
  const { workplace, query, token } = call;
  const { count, hash } = await readAuditHead(workplace);
  const isFiltered = ['org', 'actor', 'action', 'since'].some((name) => (query[name] ?? '').trim() !== '');
  const { records, before, next } = isFiltered ? await search(call) : await newest(call, count);
  return {
    title: t.title,
    body: html`<div class="head"><h1>${t.title}</h1><div class="row no-print"><form method="post" action="/audit/prove">${token}<button class="quiet">${t.prove}</button></form><a class="button quiet" href="/audit.jsonl">${t.export}</a></div></div><p class="lead">${t.lead}</p>
<p class="soft small">${t.head}: <code>${hash}@${count}</code></p>
<form method="get" class="row" role="search">${field('org', t.org, { value: query.org, isRequired: false })}${field('actor', t.actor, { value: query.actor, hint: t.actorHint, isRequired: false })}${field('action', t.action, { value: query.action, hint: t.actionHint, isRequired: false })}${field('since', t.since, { value: query.since, hint: t.sinceHint, isRequired: false })}<button class="quiet">${t.filter}</button></form>
${isFiltered && html`<p class="soft small">${t.oldestFirst}</p>`}
${table(
  t.title,
  [
    { title: t.number, cell: ({ seq }) => seq },
    { title: t.at, cell: ({ at }) => time(at, 'UTC') },
    { title: t.actor, cell: ({ actor }) => html`<span class="id">${actor}</span>` },
    { title: t.action, cell: ({ action: done }) => html`<code class="whole">${done}</code>` },
    { title: t.organization, cell: (record) => record.org },
    {
      title: t.subject,
      cell: ({ subject, detail }) =>
        html`<div class="wide"><span class="any">${subject}</span>${detail !== '{}' && html`<details><summary>${t.detail}</summary><code>${detail}</code></details>`}</div>`,
    },
  ],
  records,
  t.empty,
)}
${pager(before, next)}`,
  };
}

interface Shown {
  records: AuditRecord[];
  before: string | null;
  next: string | null;
}

/** A window of the chain, whose records are numbered without gaps. */
async function newest(call: Call, count: number): Promise<Shown> {
  const end = /^\d{1,15}$/.test(call.query.before ?? '') ? Math.min(Number(call.query.before) - 1, count) : count;
  const start = Math.max(0, end - pageRecords);
  const records = await take(walkRecords(call.workplace, { after: start }), end - start);
  const isFirst = end >= count;
  return {
    records: records.reverse(),
    before: isFirst ? null : withQuery(call, { before: null }),
    next: start > 0 ? withQuery(call, { before: start + 1 }) : null,
  };
}

/** The oldest first, since records that fit have gaps. */
async function search(call: Call): Promise<Shown> {
  const { workplace, query } = call;
  const text = (name: string) => (query[name] ?? '').trim() || undefined;
  const after = /^\d{1,15}$/.test(query.after ?? '') ? Number(query.after) : undefined;
  const since = text('since');
  const wanted = { org: text('org'), actor: text('actor'), action: text('action'), after };
  const begin = since === undefined ? {} : { since: readSince('since', since, workplace.now()) };
  const { records, next } = await searchRecords(workplace, { ...wanted, ...begin }, pageRecords);
  return {
    records,
    before: after === undefined ? null : withQuery(call, { after: null }),
    next: next === null ? null : withQuery(call, { after: next }),
  };
}

async function take(rows: AsyncIterable<AuditRecord>, most: number): Promise<AuditRecord[]> {
  const taken: AuditRecord[] = [];
  for await (const row of rows) {
    if (taken.length >= most) break;
    taken.push(row);
  }
  return taken;
}

async function prove({ workplace, busy }: Call): Promise<Outcome> {
  const { head, flaws, flawCount } = await inOnePlace(busy, 'audit proof', () => proveAudit(workplace, null));
  const result =
    flawCount === 0
      ? notice('good', t.proved(head.count))
      : notice('bad', html`<p>${t.broken(flawCount)}${flaws[0]?.what}</p>`);
  return { title: t.prove, body: html`<h1>${t.prove}</h1>${result}<p><a href="/audit">${t.back}</a></p>` };
}

async function send({ workplace }: Call): Promise<Outcome> {
  return {
    content: (async function* () {
      for await (const record of walkRecords(workplace, {})) yield `${formatRecord(record)}\n`;
    })(),
    fileName: 'audit.jsonl',
  };
}

export const auditRoutes: readonly ConsoleRoute[] = [
  page('/audit', 'audit.read', show),
  page('/audit.jsonl', 'audit.read', send),
  action('/audit/prove', 'audit.read', '/audit', prove),
];
