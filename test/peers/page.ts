/** The part of docs/clients.md that the matrix writes. */
import { cases } from './cases.js';
import { reasonAgainst } from './checks.js';
import type { Client, KeyType } from './client.js';

export interface Result {
  client: Client;
  version: string;
  /** Names of the checks that failed. */
  failed: readonly string[];
  /** What its user reads when an upload to /archive is refused. */
  message: string;
}

export const page = 'docs/clients.md';
const begin = '<!-- Written by `npm run clients`, from here -->';
const end = '<!-- to here -->';

const keyNames: Readonly<Record<KeyType, string>> = { ed25519: 'Ed25519', ecdsa: 'ECDSA', rsa: 'RSA' };

/** The page with these results in the place of the old ones. @throws Error when the page has no such place. */
export function insertResults(text: string, results: readonly Result[]): string {
  const [from, to] = placeIn(text);
  return `${text.slice(0, from)}\n\n${render(results)}\n\n${text.slice(to)}`;
}

/** The results that a page has. */
export function resultsIn(text: string): string {
  return text.slice(...placeIn(text)).trim();
}

function placeIn(text: string): [number, number] {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${page} has no place for results`);
  return [from + begin.length, to];
}

/** The results as the page shows them. */
export function render(results: readonly Result[]): string {
  const table = [
    row(['', ...cases.map(({ name }) => name)]),
    row(['---', ...cases.map(() => ':-:')]),
    ...results.map(renderClient),
  ];
  const keys = results.map(({ client }) =>
    row([client.name, ...Object.keys(keyNames).map((key) => mark(client, key))]),
  );
  return [
    table.join('\n'),
    cases.map(({ name, about }) => `- **${name}**: ${about}`).join('\n'),
    `The reason for each –:\n\n${results.flatMap(renderReasons).join('\n')}`,
    `Key types that each client can log in with:\n\n${[row(['', ...Object.values(keyNames)]), row(['---', ':-:', ':-:', ':-:']), ...keys].join('\n')}`,
    `The message that the user sees when an upload to \`/archive\` is refused:\n\n${results.map(renderMessage).join('\n')}`,
    `Further tests of single clients:\n\n${results.flatMap(renderSpecials).join('\n')}`,
  ].join('\n\n');
}

function renderClient({ client, version, failed }: Result): string {
  const cells = cases.map(({ name, needs }) => {
    if (reasonAgainst(client, needs) !== null) return '–';
    return failed.includes(name) ? '✗' : '✓';
  });
  return row([`${client.name}, ${version}`, ...cells]);
}

function renderReasons({ client }: Result): string[] {
  const reasons = [...new Set(Object.values(client.unable))];
  return reasons.length === 0 ? [] : [`- ${client.name}: ${reasons.join('; ')}`];
}

function mark(client: Client, key: string): string {
  return (client.keys as readonly string[]).includes(key) ? '✓' : '–';
}

function renderMessage({ client, message }: Result): string {
  return `- ${client.name}: \`${message}\``;
}

function renderSpecials({ client }: Result): string[] {
  const names = Object.keys(client.specials);
  return names.length === 0 ? [] : [`- **${client.name}**`, ...names.map((name) => `  - ${name}`)];
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
