/** The teams of an organization's directory: as a table, or as a tree; and one team with every change. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { exportTeams, recordExport } from '../../../operations/export.js';
import { changeTeam } from '../../../operations/people/teams.js';
import { settableLabels } from '../../../operations/people/values.js';
import { growTree, showTeam, type Team, type TeamNode, walkTeams } from '../../../operations/teams.js';
import { type Html, html, path, type Value } from '../html.js';
import { ofOrg, pager, table, withQuery } from '../layout.js';
import { type ConsoleRoute, type OrgCall, type Outcome, orgAction, orgPage, type Page } from '../route.js';
import { texts } from '../texts/texts.js';
import { correctionForm, readCorrection } from './correction.js';
import { showHistory, showStory } from './story.js';

const t = texts.teams;
const one = texts.team;
const pageTeams = 100;
/** A larger tree is no longer readable, and a page of it not quick. */
const mostOfTree = 2_000;

async function show(call: OrgCall): Promise<Page> {
  const { workplace, org, query } = call;
  const isTree = query.view === 'tree';
  const most = isTree ? mostOfTree : pageTeams;
  const teams: Team[] = [];
  for await (const team of walkTeams(workplace, org.id, query.after ?? null)) {
    teams.push(team);
    if (teams.length > most) break;
  }
  const shown = teams.slice(0, most);
  const next = teams.length > most ? withQuery(call, { after: shown.at(-1)!.nameKey }) : null;
  return {
    title: t.title,
    body: html`<div class="head"><h1>${t.title}</h1><div class="row no-print"><a class="button quiet" href="${withQuery(call, { view: isTree ? null : 'tree', after: null })}">${isTree ? t.table : t.tree}</a><a class="button quiet" href="${ofOrg(org.id, '/teams.csv')}">${t.export}</a></div></div>
${isTree && shown.length > 0 ? html`<div class="card">${showTree(growTree(shown))}</div>` : list(org.id, shown)}
${pager(query.after === undefined ? null : withQuery(call, { after: null }), next)}`,
  };
}

function list(org: string, teams: readonly Team[]): Html {
  const person = (email: string | null): Value =>
    email !== null && html`<a href="${path`/orgs/${org}/people/${email}`}">${email}</a>`;
  return table(
    t.title,
    [
      { title: t.name, cell: ({ name }) => html`<a href="${teamPath(org, name)}">${name}</a>` },
      { title: t.owner, cell: ({ ownerEmail }) => person(ownerEmail) },
      { title: t.parent, cell: ({ parentName }) => parentName },
      { title: t.type, cell: ({ type }) => type },
      { title: t.members, cell: ({ members }) => members, isNumber: true },
    ],
    teams,
    t.empty,
  );
}

function showTree(nodes: readonly TeamNode[]): Html {
  return html`<ul class="tree">${nodes.map(
    ({ team, children }) =>
      html`<li><strong>${team.name}</strong> <span class="soft">${t.people(team.members)}${team.ownerEmail !== null && ` · ${team.ownerEmail}`}</span>${children.length > 0 && showTree(children)}</li>`,
  )}</ul>`;
}

function teamPath(org: string, name: string): string {
  return path`/orgs/${org}/teams/${name}`;
}

async function showOne(call: OrgCall): Promise<Page> {
  const { workplace, org, params, account } = call;
  const { team, story, changes } = await showTeam(workplace, org.id, params.team ?? '');
  const form = () => correctionForm(call, teamPath(org.id, team.name), settableLabels.team, one.correctHint);
  return {
    title: one.title(team.name),
    body: html`<div class="tight"><h1>${one.title(team.name)}</h1><p class="soft">${one.members(team.members)}</p></div>
${showStory(org, story)}
${hasRight(account, 'org.decide') && form()}
${showHistory(org, changes)}`,
  };
}

async function correct(call: OrgCall): Promise<Outcome> {
  const { workplace, org, params } = call;
  await changeTeam(workplace, org.id, params.team ?? '', readCorrection(call));
  return { to: `${teamPath(org.id, params.team ?? '')}?done=saved` };
}

async function send({ workplace, org }: OrgCall): Promise<Outcome> {
  await recordExport(workplace, org.id, 'teams', {});
  return { content: exportTeams(workplace, org.id), fileName: 'teams.csv' };
}

export const teamRoutes: readonly ConsoleRoute[] = [
  orgPage('/teams', 'org.read', show),
  orgPage('/teams.csv', 'org.read', send),
  orgPage('/teams/{team}', 'org.read', showOne),
  orgAction('/teams/{team}', 'org.decide', '/teams/{team}', correct),
];
