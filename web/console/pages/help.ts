/** Help: templates and rules with the organization's own columns. */
import { listFieldsOf } from '../../../operations/customfields.js';
import { OperationError } from '../../../operations/error.js';
import { isSameColumn, readRowRules } from '../../../operations/rowrules.js';
import { makeTemplates } from '../../../operations/templates.js';
import { type Html, html, type Value } from '../html.js';
import { ofOrg, table, tag } from '../layout.js';
import { type ConsoleRoute, type OrgCall, type Outcome, orgPage, type Page } from '../route.js';
import { texts } from '../texts/texts.js';

const t = texts.help;

async function show({ workplace, org }: OrgCall): Promise<Page> {
  const templates = await makeTemplates(workplace, org.id);
  const fields = (await listFieldsOf(workplace, org.id)).filter(({ hidden }) => !hidden);
  const aliases = Object.entries(org.options.aliases ?? {});
  const rules = readRowRules(org);
  const columns = t.columnsOf(rules);
  const identifying = { person: rules.identifier ?? columns.users[0]![0], team: columns.teams[0]![0] };
  const name = (label: string): Value => {
    const found = (['person', 'team'] as const).find((one) => isSameColumn(identifying[one], label));
    return found === undefined ? label : html`${label} ${tag('info', t.identifies[found])}`;
  };
  const otherNames = (label: string) =>
    aliases.flatMap(([alias, standard]) => (standard === label ? [alias] : [])).join(', ');
  const list = (title: string, shown: typeof columns.users): Html =>
    html`<section class="stack"><h2>${title}</h2>${table(
      title,
      [
        { title: t.column, cell: ([label]) => name(label) },
        { title: t.meaning, cell: ([, meaning]) => meaning },
        ...(shown.some(([label]) => otherNames(label) !== '')
          ? [{ title: t.aliases, cell: ([label]: [string, string]) => otherNames(label) }]
          : []),
      ],
      shown,
      '',
    )}</section>`;
  return {
    title: t.title,
    body: html`<h1>${t.title}</h1>
<section class="tight"><h2>${t.templates}</h2><p class="soft">${t.templatesText}</p><ul class="links">${templates.map(({ name }) => html`<li><a href="${ofOrg(org.id, `/help/${encodeURIComponent(name)}`)}">${name}</a></li>`)}</ul></section>
<section class="tight"><h2>${t.rules}</h2><ul>${t.ruleList(rules).map((rule) => html`<li>${rule}</li>`)}</ul></section>
${list(t.columns, columns.users)}
${list(t.teams, columns.teams)}
<section class="tight"><h2>${t.own}</h2><p>${t.ownText}</p>${fields.length === 0 ? html`<p class="soft">${t.noOwn}</p>` : html`<ul>${fields.map(({ label, type }) => html`<li>${name(label)} <span class="soft">${type}</span></li>`)}</ul>`}</section>`,
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
