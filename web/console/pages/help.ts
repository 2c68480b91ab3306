/** Help: templates and rules with the organization's own columns. */
import { listFieldsOf } from '../../../operations/customfields.js';
import { OperationError } from '../../../operations/error.js';
import { makeTemplates } from '../../../operations/templates.js';
import { type Html, html } from '../html.js';
import { ofOrg, table } from '../layout.js';
import { type ConsoleRoute, type OrgCall, type Outcome, orgPage, type Page } from '../route.js';
import { texts } from '../texts/texts.js';

const t = texts.help;
const ofTeams = ['Team Name', 'Owner Email', 'Parent Team', 'Team Type'];

async function show({ workplace, org }: OrgCall): Promise<Page> {
  const templates = await makeTemplates(workplace, org.id);
  const fields = (await listFieldsOf(workplace, org.id)).filter(({ hidden }) => !hidden);
  const aliases = Object.entries(org.options.aliases ?? {});
  const labels = Object.keys(t.meanings);
  const otherNames = (label: string) =>
    aliases.flatMap(([name, standard]) => (standard === label ? [name] : [])).join(', ');
  const columns = (title: string, shown: readonly string[]): Html =>
    html`<section class="stack"><h2>${title}</h2>${table(
      title,
      [
        { title: t.column, cell: (label) => label },
        { title: t.meaning, cell: (label) => t.meanings[label] },
        ...(shown.some((label) => otherNames(label) !== '') ? [{ title: t.aliases, cell: otherNames }] : []),
      ],
      shown,
      '',
    )}</section>`;
  return {
    title: t.title,
    body: html`<h1>${t.title}</h1>
<section class="tight"><h2>${t.templates}</h2><p class="soft">${t.templatesText}</p><ul class="links">${templates.map(({ name }) => html`<li><a href="${ofOrg(org.id, `/help/${encodeURIComponent(name)}`)}">${name}</a></li>`)}</ul></section>
<section class="tight"><h2>${t.rules}</h2><ul>${t.ruleList.map((rule) => html`<li>${rule}</li>`)}</ul></section>
${columns(
  t.columns,
  labels.filter((label) => !ofTeams.includes(label)),
)}
${columns(t.teams, ofTeams)}
<section class="tight"><h2>${t.own}</h2><p>${t.ownText}</p>${fields.length === 0 ? html`<p class="soft">${t.noOwn}</p>` : html`<ul>${fields.map(({ label, type }) => html`<li>${label} <span class="soft">${type}</span></li>`)}</ul>`}</section>`,
  };
}

async function send({ workplace, org, params }: OrgCall): Promise<Outcome> {
  const template = (await makeTemplates(workplace, org.id)).find(({ name }) => name === params.file);
  if (template === undefined) throw new OperationError('not_found', 'there is no such template');
  const { name, text } = template;
  return {
    content: (async function* () {
      yield text;
    })(),
    fileName: name,
  };
}

export const helpRoutes: readonly ConsoleRoute[] = [
  orgPage('/help', 'org.read', show),
  orgPage('/help/{file}', 'org.read', send),
];
