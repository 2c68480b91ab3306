/** A problem beside the cells of its row. */
import type { ProblemRow } from '../../../operations/problems.js';
import { type Html, html } from '../html.js';
import { tag } from '../layout.js';
import { tell } from '../message.js';
import type { OrgCall } from '../route.js';
import { texts } from '../texts/texts.js';

const t = texts.run;

export function severityTag(severity: ProblemRow['severity']): Html {
  const [tone, word] = t.severities[severity];
  return tag(tone, word);
}

/** The problem, and below it the row with the cell marked. */
export function showProblem(call: OrgCall, problem: ProblemRow, header: readonly string[]): Html {
  const { line, column, severity, message, value, cells } = problem;
  return html`<article class="tight problem"><p>${severityTag(severity)} ${line !== null && html`<strong>${t.line(line)}</strong>`}${column !== null && html` · ${column}`}${value !== null && html` · <mark>${value}</mark>`}</p><p>${tell(call, message)}</p>${cells !== null && showRow(problem, header, cells)}</article>`;
}

function showRow({ line, column }: ProblemRow, header: readonly string[], cells: readonly string[]): Html {
  const isOf = (label: string) => column !== null && label.trim().toLowerCase() === column.trim().toLowerCase();
  const name = line === null ? t.rowCells : `${t.rowCells}: ${t.line(line)}`;
  const labels = header.map((label) => html`<th scope="col">${label}</th>`);
  const row = header.map((label, place) =>
    isOf(label) ? html`<td class="cells"><mark>${cells[place] || t.blank}</mark></td>` : html`<td>${cells[place]}</td>`,
  );
  return html`<div class="scroll" role="group" aria-label="${name}" tabindex="0"><table><thead><tr>${labels}</tr></thead><tbody><tr>${row}</tr></tbody></table></div>`;
}
