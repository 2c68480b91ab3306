/** The server itself: version, host keys, settings with their origin, alarms, and the doctor. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { listAlarmsOf } from '../../../operations/alarms.js';
import { examine } from '../../../operations/doctor/examine.js';
import { OperationError } from '../../../operations/error.js';
import { listHostKeys } from '../../../operations/hostkeys.js';
import { listServerSettings, type Settings, type ShownSetting, settingText } from '../../../operations/settings.js';
import { readStatus } from '../../../operations/status.js';
import { html } from '../html.js';
import { facts, notice, ofOrg, table, tag, time } from '../layout.js';
import { action, type Call, type ConsoleRoute, type Outcome, type Page, page } from '../route.js';
import { texts } from '../texts/texts.js';

const t = texts.system;

async function show({ workplace, version, account, token }: Call): Promise<Page> {
  const status = await readStatus(workplace, version);
  const hostKeys = await listHostKeys(workplace, null);
  const alarms = await listAlarmsOf(workplace, { resolved: false });
  const settings = listRunning(workplace.settings).filter(({ origin }) => origin !== 'default');
  return {
    title: t.title,
    body: html`<h1>${t.title}</h1>
<div class="card">${facts([
      [t.version, version],
      [t.database, status.database],
      [t.organizations, t.orgsText(status.organizations.all, status.organizations.enabled)],
      [t.folder, html`<code>${status.disk.folder}</code>`],
      ...hostKeys.map(
        ({ type, state, fingerprint }) =>
          [`${t.hostKeys}: ${type} (${state})`, html`<code>${fingerprint}</code>`] as const,
      ),
    ])}</div>
<section class="stack"><h2>${t.alarms}</h2>${table(
      t.alarms,
      [
        { title: texts.runs.organization, cell: ({ org }) => html`<a href="${ofOrg(org)}">${org}</a>` },
        { title: t.since, cell: ({ openedAt }) => time(openedAt, 'UTC') },
        { title: t.alarm, cell: ({ message }) => message },
      ],
      alarms,
      t.noAlarms,
    )}</section>
${
  hasRight(account, 'server.operate') &&
  html`<section class="card"><h2>${t.doctor}</h2><p>${t.doctorText}</p><form method="post" action="/system/doctor">${token}<button class="quiet">${t.run}</button></form></section>`
}
<section class="stack"><h2>${t.settings}</h2>${table(
      t.settings,
      [
        { title: t.setting, cell: ({ name }) => html`<code>${name}</code>` },
        { title: t.value, cell: ({ value }) => settingText(value) },
        { title: t.origin, cell: ({ origin }) => origin },
      ],
      settings,
      t.noSettings,
    )}</section>`,
  };
}

/** As this process runs; the origin of a setting that is neither of the data folder's file nor of the environment is not known here. */
function listRunning(settings: Settings): ShownSetting[] {
  return listServerSettings({ file: undefined, overrides: { data: settings.data } }).map((own) => {
    const running: unknown = settings[own.name as keyof Settings] ?? null;
    // A database URL may have a password.
    if (own.name === 'database' && running !== 'sqlite') return { ...own, value: t.hidden };
    return JSON.stringify(running) === JSON.stringify(own.value)
      ? own
      : { ...own, value: running, origin: t.elsewhere };
  });
}

async function doctor({ workplace, open, busy }: Call): Promise<Outcome> {
  if (busy.has('doctor')) throw new OperationError('unavailable', 'the doctor runs already: wait for its result');
  busy.add('doctor');
  try {
    const findings = await examine(workplace.settings, open);
    const isWhole = findings.every(({ level }) => level === 'ok');
    return {
      title: t.doctor,
      body: html`<h1>${t.doctor}</h1>${isWhole && notice('good', t.whole)}${table(
        t.doctor,
        [
          { title: t.check, cell: ({ check }) => check },
          { title: t.level, cell: ({ level }) => tag(t.levels[level][0], t.levels[level][1]) },
          { title: t.finding, cell: ({ subject, message }) => html`<strong>${subject}</strong> ${message}` },
        ],
        findings,
        t.whole,
      )}<p><a href="/system">${t.back}</a></p>`,
    };
  } finally {
    busy.delete('doctor');
  }
}

export const systemRoutes: readonly ConsoleRoute[] = [
  page('/system', 'server.read', show),
  action('/system/doctor', 'server.operate', '/system', doctor),
];
