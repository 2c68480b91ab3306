/** The audit trail: the newest records first; verified and exported. */
import { type AuditRecord, formatRecord, proveAudit, readAuditHead, walkRecords } from '../../../operations/audit.js';
import { inOnePlace } from '../../../operations/places.js';
import { html } from '../html.js';
import { field, notice, pager, table, time, withQuery } from '../layout.js';
import { action, type Call, type ConsoleRoute, type Outcome, type Page, page } from '../route.js';
import { texts } from '../texts/texts.js';

const t = texts.audit;
const pageRecords = 100;

async function show(call: Call): Promise<Page> {
  const { workplace, query, token } = call;
  const { count, hash } = await readAuditHead(workplace);
  const org = (query.org ?? '').trim();
  const { records, before, next } = org === '' ? await newest(call, count) : await ofOrganization(call, org);
  return {
    title: t.title,
    body: html`<div class="head"><h1>${t.title}</h1><div class="row no-print"><form method="post" action="/audit/prove">${token}<button class="quiet">${t.prove}</button></form><a class="button quiet" href="/audit.jsonl">${t.export}</a></div></div><p class="lead">${t.lead}</p>
<p class="soft small">${t.head}: <code>${hash}@${count}</code></p>
<form method="get" class="row" role="search">${field('org', t.org, { value: org, isRequired: false })}<button class="quiet">${t.filter}</button></form>
${table(
  t.title,
  [
    { title: t.number, cell: ({ seq }) => seq },
    { title: t.at, cell: ({ at }) => time(at, 'UTC') },
    { title: t.actor, cell: ({ actor }) => actor },
    { title: t.action, cell: ({ action: done }) => html`<code class="whole">${done}</code>` },
    { title: t.organization, cell: (record) => record.org },
    { title: t.subject, cell: ({ subject }) => subject },
    {
      title: t.detail,
      cell: ({ detail }) =>
        detail !== '{}' && html`<details><summary>${t.detail}</summary><code>${detail}</code></details>`,
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

/** The oldest first, since those of one organization have gaps. */
async function ofOrganization(call: Call, org: string): Promise<Shown> {
  const after = /^\d{1,15}$/.test(call.query.after ?? '') ? Number(call.query.after) : undefined;
  const records = await take(walkRecords(call.workplace, { org, after }), pageRecords + 1);
  const shown = records.slice(0, pageRecords);
  return {
    records: shown,
    before: after === undefined ? null : withQuery(call, { after: null }),
    next: records.length > pageRecords ? withQuery(call, { after: shown.at(-1)!.seq }) : null,
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
