/** The frame of every page: head, navigation, and the parts that pages share. */
import { createHash } from 'node:crypto';
import { hasRight } from '../../operations/accounts/rights.js';
import { type Html, html, path, trusted, type Value } from './html.js';
import { navigationOf } from './navigation.js';
import type { Call, Page } from './route.js';
import { icon, style } from './style.js';
import { texts } from './texts/texts.js';
import { moment } from './texts/words.js';

const t = texts.frame;

/** Its name changes with its content, so that browsers may keep it. */
export const stylePath = `/assets/${createHash('sha256').update(style).digest('hex').slice(0, 16)}.css`;
export const iconPath = '/assets/icon.svg';

/** A page for a person who is signed in. */
export function renderPage(page: Page, call: Call): string {
  const { account, org, query, version } = call;
  const done = query.done !== undefined && Object.hasOwn(t.done, query.done) ? t.done[query.done] : undefined;
  const links = navigationOf(account, org);
  const nav = links.map(
    ({ title, items }) =>
      html`<p class="group">${title}</p><ul>${items.map(
        ({ text, to }) =>
          html`<li><a href="${to}"${to === activeOf(call.path, items) && html` aria-current="page"`}>${text}</a></li>`,
      )}</ul>`,
  );
  return renderDocument(
    page,
    html`<a class="skip" href="#main">${t.skip}</a>
<header class="top">${brand()}<span class="where">${hasRight(account, 'server.read') && (org === null ? t.ofServer : html`<a href="/">${t.ofServer}</a> › `)}${org?.name}</span>
<div class="me"><a href="/account">${account.email}</a><form method="post" action="/sign-out">${call.token}<button class="link">${t.signOut}</button></form></div></header>
<div class="frame"><nav class="side" aria-label="${t.navigation}">${nav}</nav>
<main id="main" tabindex="-1">${done !== undefined && notice('good', done)}${call.problem !== null && notice('bad', call.problem)}${page.body}</main></div>
<footer>${t.times(page.timeZone ?? org?.timeZone ?? 'UTC')} · ${t.version(version)}</footer>`,
  );
}

/** A page for a person who is not signed in. */
export function renderAlone(page: Page): string {
  return renderDocument(page, html`<main class="alone stack">${brand()}${page.body}</main>`);
}

function renderDocument({ title, refreshSeconds, script }: Page, body: Html): string {
  return html`<!doctype html>
<html lang="${t.language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · ${t.brand}</title>${refreshSeconds !== undefined && html`<noscript><meta http-equiv="refresh" content="${refreshSeconds}"></noscript>`}
<link rel="stylesheet" href="${stylePath}"><link rel="icon" href="${iconPath}">${script !== undefined && html`<script src="${script}" defer></script>`}</head>
<body>${body}</body></html>
`.text;
}

function brand(): Html {
  return html`<a class="brand" href="/">${trusted(icon.replace('<svg ', '<svg aria-hidden="true" '))}${t.brand}</a>`;
}

/** The link of the navigation that a path belongs to: the longest one that it begins with. */
function activeOf(here: string, items: readonly { to: string }[]): string | null {
  const fitting = items.filter(({ to }) => here === to || (to !== '/' && here.startsWith(`${to}/`)));
  return fitting.sort((a, b) => b.to.length - a.to.length)[0]?.to ?? null;
}

export type Tone = 'good' | 'wait' | 'bad' | 'info';

/** @param tone `bad` is announced at once by screen readers */
export function notice(tone: Tone, text: Value): Html {
  return html`<div class="notice ${tone}" role="${tone === 'bad' ? 'alert' : 'status'}">${text instanceof Object ? text : html`<p>${text}</p>`}</div>`;
}

export function tag(tone: Tone | '', text: string): Html {
  return html`<span class="tag ${tone}">${text}</span>`;
}

export interface Column<Row> {
  title: string;
  cell(row: Row): Value;
  isNumber?: boolean;
  /** A sentence: not in bold in the first column. */
  isText?: boolean;
}

/** A time whose day and clock stay together each: a table without room for both in a line is not wider than the screen. */
export function time(ms: number | null, timeZone: string): Html {
  if (ms === null) return html`–`;
  const [day, clock] = moment(ms, timeZone).split(', ');
  return html`<time datetime="${new Date(ms).toISOString()}"><span class="whole">${day},</span> <span class="whole">${clock}</span></time>`;
}

/** A table that scrolls by itself on a narrow screen; the first column names its row. */
export function table<Row>(name: string, columns: readonly Column<Row>[], rows: readonly Row[], empty: string): Html {
  if (rows.length === 0) return html`<p class="soft">${empty}</p>`;
  const head = columns.map(({ title, isNumber }) =>
    title === '' ? html`<td></td>` : html`<th scope="col"${isNumber && html` class="number"`}>${title}</th>`,
  );
  const body = rows.map(
    (row) =>
      html`<tr>${columns.map(({ cell, isNumber, isText }, index) =>
        index === 0
          ? html`<th scope="row"${isText && html` class="text"`}>${cell(row)}</th>`
          : html`<td${isNumber && html` class="number"`}>${cell(row)}</td>`,
      )}</tr>`,
  );
  return html`<div class="card plain"><div class="scroll" role="region" aria-label="${name}" tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div></div>`;
}

export interface FieldOptions {
  type?: string;
  value?: string | undefined;
  hint?: string;
  autocomplete?: string;
  isRequired?: boolean;
  isLong?: boolean;
  most?: number;
  /** Proposals of the browser while a person types. */
  options?: readonly string[];
}

export function field(name: string, label: string, options: FieldOptions = {}): Html {
  const { type = 'text', value, hint, autocomplete = 'off', isRequired = true, isLong = false, most } = options;
  const list = options.options;
  const more = html`${isRequired && html` required`}${hint !== undefined && html` aria-describedby="${name}-hint"`}${most !== undefined && html` maxlength="${most}"`}`;
  const input = isLong
    ? html`<textarea id="${name}" name="${name}"${more}>${value}</textarea>`
    : html`<input id="${name}" name="${name}" type="${type}" value="${value}" autocomplete="${autocomplete}"${list !== undefined && html` list="${name}-list"`}${more}>${list !== undefined && html`<datalist id="${name}-list">${list.map((one) => html`<option value="${one}"></option>`)}</datalist>`}`;
  return html`<div class="field"><label for="${name}">${label}</label>${input}${hint !== undefined && html`<span class="hint" id="${name}-hint">${hint}</span>`}</div>`;
}

export interface Choice {
  value: string;
  text: string;
}

export function select(name: string, label: string, choices: readonly Choice[], chosen = ''): Html {
  const options = choices.map(
    ({ value, text }) => html`<option value="${value}"${value === chosen && html` selected`}>${text}</option>`,
  );
  return html`<div class="field"><label for="${name}">${label}</label><select id="${name}" name="${name}">${options}</select></div>`;
}

export function facts(pairs: readonly (readonly [string, Value])[]): Html {
  return html`<dl class="facts">${pairs.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** Links to the pages before and after; null: there is none. */
export function pager(before: string | null, next: string | null): Html | null {
  if (before === null && next === null) return null;
  return html`<nav class="pages" aria-label="${t.pages}">${before !== null && html`<a href="${before}" rel="prev">← ${t.before}</a>`}${next !== null && html`<a href="${next}" rel="next">${t.next} →</a>`}</nav>`;
}

/** The present path with other values of its query; an empty value leaves one out. */
export function withQuery(call: Pick<Call, 'path' | 'query'>, change: Record<string, string | number | null>): string {
  const { done: _done, ...query } = call.query;
  const all = Object.entries({ ...query, ...change }).filter(([, value]) => value !== null && value !== '');
  const text = new URLSearchParams(all.map(([name, value]): [string, string] => [name, String(value)])).toString();
  return text === '' ? call.path : `${call.path}?${text}`;
}

/** The path of an organization's page. */
export function ofOrg(org: string, rest = ''): string {
  return path`/orgs/${org}` + rest;
}
