/** The form that sets or empties one value of a person or a team, and reads what was sent: as `users set|clear` and `teams set|clear`. */
import type { Changes } from '../../../operations/people/users.js';
import { type Html, html } from '../html.js';
import { field, select } from '../layout.js';
import type { OrgCall } from '../route.js';
import { texts } from '../texts/texts.js';

const t = texts.correction;
const longest = 1000;

/** @param to where it is sent. @param labels of the values that can be set. @param hint about values that need one */
export function correctionForm({ token, form }: OrgCall, to: string, labels: readonly string[], hint: string): Html {
  const choices = labels.map((value) => ({ value, text: value }));
  return html`<details class="card"${form.label !== undefined && html` open`}><summary>${t.title}</summary>
<form method="post" action="${to}" class="stack">${token}<div class="row">
${select('label', t.column, choices, form.label)}${field('value', t.value, { value: form.value, most: longest })}<button name="do" value="set">${t.submit}</button><button class="quiet" name="do" value="clear" formnovalidate>${t.empty}</button></div>
<p class="soft">${hint} ${t.text}</p></form></details>`;
}

export function readCorrection({ form }: OrgCall): Changes {
  const { label = '', value = '' } = form;
  if (form.do === 'clear') return { set: [], clear: [label] };
  return { set: [{ label, value: value.trim() }], clear: [] };
}
