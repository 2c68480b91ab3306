/** Renders the table of codes in docs/import-rules.md from the codes themselves. */
import { codes, explainCode } from './codes.js';

/** `page` with its table of codes replaced by the present one. @throws Error when the page has no such table. */
export function replaceCodeTable(page: string): string {
  const head = '| code | is a | rule | the report says |\n| --- | --- | --- | --- |\n';
  const start = page.indexOf(head);
  if (start < 0) throw new Error('docs/import-rules.md has no table of codes');
  const end = page.slice(start).search(/\n(?!\|)/);
  const rows = Object.entries(codes).map(
    ([code, { severity, rule }]) => `| \`${code}\` | ${severity} | ${rule} | ${explainCode(code)} |\n`,
  );
  return page.slice(0, start) + head + rows.join('') + page.slice(start + end + 1);
}
