/** Renders the table of codes in docs/import-rules.md from the codes themselves. */
import { codes } from './codes.js';

/** Details that a message can also do without. */
const optional = /\{(hint|advice|unseen|reason|more|kept)\}/g;

/** `page` with its table of codes replaced by the present one. @throws Error when the page has no such table. */
export function replaceCodeTable(page: string): string {
  const head = '| code | is a | rule | the report says |\n| --- | --- | --- | --- |\n';
  const start = page.indexOf(head);
  if (start < 0) throw new Error('docs/import-rules.md has no table of codes');
  const end = page.slice(start).search(/\n(?!\|)/);
  const rows = Object.entries(codes).map(
    ([code, { severity, rule, message }]) => `| \`${code}\` | ${severity} | ${rule} | ${describe(message)} |\n`,
  );
  return page.slice(0, start) + head + rows.join('') + page.slice(start + end + 1);
}

/** A message with … in the place of each detail. */
function describe(message: string): string {
  return message
    .replace(optional, '')
    .replace(/\{\w+\}/g, '…')
    .trim();
}
