/** An organization for its operator: state, quotas, every setting; enable, disable, import now. And the form that adds one. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { OperationError } from '../../../operations/error.js';
import { listNotifications } from '../../../operations/notifyaddress.js';
import { detailOrg, type OrgDetails } from '../../../operations/orgdetails.js';
import {
  addOrganization,
  disableOrganization,
  enableOrganization,
  removeOrganization,
  setOrganization,
} from '../../../operations/orgs.js';
import {
  describeTakes,
  listSettings,
  readOrgFields,
  type SettingValue,
} from '../../../operations/orgsettings/orgsettings.js';
import { openImport } from '../../../operations/runs.js';
import { requestSftp } from '../../../operations/sftpaccess.js';
import { type Html, html, path } from '../html.js';
import { facts, field, notice, ofOrg, table, tag, time } from '../layout.js';
import {
  action,
  type Call,
  type ConsoleRoute,
  type OrgCall,
  type Outcome,
  orgAction,
  orgPage,
  type Page,
  page,
} from '../route.js';
import { judgeSent, shown } from '../shown.js';
import { texts } from '../texts/texts.js';
import { amount } from '../texts/words.js';
import { runPath, stateTag } from './runview.js';

const t = texts.organization;
const a = texts.added;
/** Names of form fields: the name of a setting follows. */
const prefix = 'set:';

async function show(call: OrgCall): Promise<Page> {
  const { workplace, org, account } = call;
  const details = await detailOrg(workplace, org);
  const space = await workplace.space(org);
  const usage = await space.measure();
  const may = hasRight(account, 'org.operate');
  const to = (rest: string) => ofOrg(org.id, rest);
  return {
    title: `${org.name}: ${t.title}`,
    body: html`<div class="head"><h1>${org.name}</h1>${org.enabled ? tag('good', t.enabled) : tag('wait', t.disabled)}</div>
<p class="row no-print"><a class="button quiet" href="${to('/settings/welcome')}">${t.welcome}</a><a class="button quiet" href="/arrivals?org=${org.id}">${t.trace}</a></p>
<div class="card">${facts([
      [t.plan, details.hasDoor ? org.plan : html`${org.plan} ${tag('wait', t.noDoor)}`],
      [t.owner, org.ownerEmail],
      [t.imports, details.imports],
      [t.next, org.enabled ? time(details.nextSlotAt, org.timeZone) : '–'],
      [
        t.lastFile,
        details.lastFile === null
          ? t.never
          : [time(details.lastFile.closedAt, org.timeZone), ` ${details.lastFile.path}`],
      ],
      [
        t.lastRun,
        details.lastRun === null
          ? t.never
          : html`<a href="${runPath(details.lastRun)}">${time(details.lastRun.openedAt, org.timeZone)}</a> ${stateTag(details.lastRun)}`,
      ],
      [t.sessions, amount(details.sessions)],
      ...rulesOf(details),
      [
        t.people,
        html`<a href="${to('/people')}">${texts.people.counts(details.users.active, details.users.deactivated)}</a>`,
      ],
      [t.teams, html`<a href="${to('/teams')}">${amount(details.teams)}</a>`],
      [t.keys, html`${amount(details.usableKeys)} · <a href="${to('/connection')}">${t.look}</a>`],
      [t.members, html`<a href="${to('/members')}">${t.look}</a>`],
      [
        t.mail,
        html`${amount((await listNotifications(workplace, org.id)).length)} · <a href="${to('/notifications')}">${t.look}</a>`,
      ],
    ])}</div>
${details.heldRun !== null && notice('wait', html`<p><a href="${runPath({ org: org.id, id: details.heldRun }, '/review')}">${t.held}</a></p>`)}
${details.alarms.map(({ message }) => notice('bad', message))}
<section class="card"><h2>${t.storage}</h2>${bar(t.quota.bytes, usage.storedBytes, usage.maxStoredBytes, t.bytes)}${bar(t.quota.files, usage.files, usage.maxFiles, t.files)}</section>
${details.sources.length > 0 && showSources(details, org.timeZone)}
${may && actions(call)}
${groupsOf(details.settings).map(([group, settings]) => showGroup(call, group, settings, may))}
${may && removal(call)}`,
  };
}

function bar(name: string, used: number, most: number, words: (used: number, most: number) => string): Html {
  return html`<div class="tight"><p>${words(used, most)}</p><meter min="0" max="${most}" high="${most * 0.9}" value="${used}" aria-label="${name}"></meter></div>`;
}

/** Settings that decide about the reading of files, where they differ from their defaults. */
function rulesOf({ settings }: OrgDetails): [string, string][] {
  const shown = ['expectFiles', 'expectBy', 'expectDays', 'identifier', 'aliases', 'fieldOwners', 'addresses', 'hours'];
  return shown.flatMap((name): [string, string][] => {
    const found = settings.find(({ setting }) => setting.name === name);
    return found === undefined || found.isDefault ? [] : [[t.rules[name] ?? name, found.text]];
  });
}

function showSources({ sources }: OrgDetails, timeZone: string): Html {
  return html`<section class="stack"><h2>${t.sources}</h2>${table(
    t.sources,
    [
      { title: t.place, cell: ({ place }) => place },
      {
        title: t.state,
        cell: ({ state, failure, problems }) => [
          tag(failure === null && problems === 0 ? 'good' : 'wait', state),
          failure !== null && ` ${failure}`,
          problems > 0 && ` ${t.sourceProblems(problems)}`,
        ],
      },
      { title: t.lastOk, cell: ({ lastOkAt }) => (lastOkAt === null ? t.never : time(lastOkAt, timeZone)) },
    ],
    sources,
    '',
  )}</section>`;
}

function removal({ org, token, form }: OrgCall): Html {
  return html`<details class="card"${form.confirm !== undefined && html` open`}><summary>${t.remove}</summary><form method="post" action="${ofOrg(org.id, '/settings/remove')}" class="stack">${token}<p>${t.removeText}</p>${field('confirm', t.confirm(org.id), { value: form.confirm })}<button class="danger">${t.removeSubmit}</button></form></details>`;
}

/** @throws OperationError `usage` unless its id was typed */
async function remove({ workplace, org, form }: OrgCall): Promise<Outcome> {
  if ((form.confirm ?? '').trim() !== org.id) throw new OperationError('usage', t.notConfirmed(org.id));
  await removeOrganization(workplace, org.id);
  return { to: '/?done=removed' };
}

function actions({ org, token, form }: OrgCall): Html {
  const to = (rest: string) => ofOrg(org.id, `/settings/${rest}`);
  const access = org.enabled
    ? html`<form method="post" action="${to('disable')}" class="stack">${token}<p class="soft">${t.disableText}</p><button class="danger">${t.disable}</button></form>`
    : html`<form method="post" action="${to('enable')}" class="stack">${token}<p class="soft">${t.enableText}</p>${field('by', t.by, { type: 'email', value: form.by ?? org.ownerEmail })}<button>${t.enable}</button></form>`;
  return html`<section class="card">${access}<form method="post" action="${to('import')}">${token}<button class="quiet">${t.importNow}</button></form></section>`;
}

function groupsOf(settings: readonly SettingValue[]): [string, SettingValue[]][] {
  const groups = [...new Set(settings.map(({ setting }) => setting.group))];
  return groups.map((group) => [group, settings.filter(({ setting }) => setting.group === group)]);
}

function showGroup({ org, token, form }: OrgCall, group: string, settings: SettingValue[], may: boolean): Html {
  const isSent = settings.some(({ setting }) => form[prefix + setting.name] !== undefined);
  const presentOf = ({ text, isDefault }: SettingValue) => (isDefault ? '' : text);
  const asShown = settings.map((value) => shown(prefix + value.setting.name, presentOf(value)));
  const one = (of: SettingValue) => {
    const { setting, text, isDefault } = of;
    const name = prefix + setting.name;
    const present = presentOf(of);
    const sent = judgeSent(form, name, present);
    // A value that the person left alone would go back to its old text with the next save.
    const value = sent === 'unchanged' ? present : form[name];
    const hint = `${setting.meaning} ${t.takes(describeTakes(setting))}${isDefault && text !== '' ? ` ${t.default(text)}` : ''}`;
    return may
      ? html`<div class="tight">${field(name, setting.name, { value, hint, isRequired: false })}${sent === 'outdated' && notice('wait', t.meanwhile(text))}</div>`
      : html`<div class="tight"><p><strong>${setting.name}</strong> ${isDefault ? html`<span class="soft">${text}</span>` : text}</p><p class="soft small">${setting.meaning}</p></div>`;
  };
  return html`<details class="card"${isSent && html` open`}><summary>${group}</summary><form method="post" action="${ofOrg(org.id, '/settings')}" class="stack">${token}${may && asShown}${settings.map(one)}${may && html`<button>${t.save}</button>`}</form></details>`;
}

/** Only settings whose text was changed; an emptied one gets its default. @throws OperationError `refused` */
async function save({ workplace, org, form }: OrgCall): Promise<Outcome> {
  const changed: Record<string, string> = {};
  const outdated: string[] = [];
  for (const { setting, text, isDefault } of listSettings(org, workplace.settings)) {
    const given = form[prefix + setting.name] ?? '';
    const sent = judgeSent(form, prefix + setting.name, isDefault ? '' : text);
    if (sent === 'outdated') outdated.push(setting.name);
    if (sent !== 'changed') continue;
    changed[setting.name] = given.trim() === '' && setting.takesDefault ? 'default' : given;
  }
  if (outdated.length > 0) throw new OperationError('refused', t.outdated(outdated));
  const notes: string[] = [];
  if (Object.keys(changed).length > 0)
    await setOrganization(workplace, org.id, readOrgFields(changed), { note: (sentence) => notes.push(sentence) });
  if (notes.length === 0) return { to: `${ofOrg(org.id, '/settings')}?done=saved` };
  const back = ofOrg(org.id, '/settings');
  return {
    title: t.effect,
    body: html`<h1>${t.effect}</h1>${notes.map((sentence) => notice('info', sentence))}<p><a href="${back}">${t.title}</a></p>`,
  };
}

async function enable({ workplace, org, form }: OrgCall): Promise<Outcome> {
  if (org.sftpRequest === null) await requestSftp(workplace, org.id, form.by ?? '');
  await enableOrganization(workplace, org.id);
  return { to: `${ofOrg(org.id, '/settings')}?done=enabled` };
}

async function showNew({ token, form }: Call): Promise<Page> {
  return {
    title: a.title,
    body: html`<h1>${a.title}</h1><form method="post" action="/new" class="card stack">${token}
${field('id', a.id, { hint: a.idHint, value: form.id, most: 32 })}
${field('name', a.name, { value: form.name })}
${field('owner', a.owner, { type: 'email', hint: a.ownerHint, value: form.owner })}
${field('slot', a.slot, { hint: a.slotHint, value: form.slot ?? '02:00' })}
${field('zone', a.zone, { hint: a.zoneHint, value: form.zone ?? 'UTC' })}
<div class="check"><input type="checkbox" id="enable" name="enable" value="on"${form.enable === 'on' && html` checked`}><label for="enable">${a.enable}</label></div>
<button>${a.submit}</button></form><p class="soft">${a.next}</p>`,
  };
}

async function add({ workplace, form }: Call): Promise<Outcome> {
  const { id = '', name, owner, slot, zone } = form;
  const { ownerEmail, ...fields } = readOrgFields({ name, owner, slot, timeZone: zone });
  const { org } = await addOrganization(
    workplace,
    id.trim(),
    { ...fields, ownerEmail: ownerEmail! },
    form.enable === 'on',
  );
  return { to: `${path`/orgs/${org.id}`}/settings?done=added` };
}

export const organizationRoutes: readonly ConsoleRoute[] = [
  orgPage('/settings', 'server.read', show),
  orgAction('/settings', 'org.operate', '/settings', save),
  orgAction('/settings/enable', 'org.operate', '/settings', enable),
  orgAction('/settings/disable', 'org.operate', '/settings', async ({ workplace, org }) => {
    await disableOrganization(workplace, org.id);
    return { to: `${ofOrg(org.id, '/settings')}?done=disabled` };
  }),
  orgAction('/settings/import', 'org.operate', '/settings', async ({ workplace, org }) => {
    const id = await openImport(workplace, org.id);
    return { to: `${runPath({ org: org.id, id })}?done=imported` };
  }),
  orgAction('/settings/remove', 'org.operate', '/settings', remove),
  page('/new', 'server.operate', showNew),
  action('/new', 'server.operate', '/new', add),
];
