/** The server itself: version, host keys, settings with their origin, alarms, and the doctor. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { listAlarmsOf } from '../../../operations/alarms.js';
import { listMadeBackups } from '../../../operations/backup/history.js';
import { readBackupJob, requestBackup } from '../../../operations/backup/request.js';
import { examine } from '../../../operations/doctor/examine.js';
import { OperationError } from '../../../operations/error.js';
import { listHostKeys } from '../../../operations/hostkeys.js';
import { listServerSettings, type Settings, type ShownSetting, settingText } from '../../../operations/settings.js';
import { readStatus } from '../../../operations/status.js';
import { type Html, html } from '../html.js';
import { facts, notice, ofOrg, table, tag, time } from '../layout.js';
import { action, type Call, type ConsoleRoute, type Outcome, type Page, page } from '../route.js';
import { texts } from '../texts/texts.js';
import { amount } from '../texts/words.js';

const t = texts.system;
const shownBackups = 5;

async function show(call: Call): Promise<Page> {
  const { workplace, version, account, token } = call;
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
${await showBackups(call)}
${
  hasRight(account, 'server.operate') &&
  html`<section class="card"><h2>${t.doctor}</h2><p>${t.doctorText}</p><form method="post" action="/system/doctor">${token}<button class="quiet">${t.run}</button></form></section>`
}
<section class="stack"><h2>${t.settings}</h2>${table(
      t.settings,
      [
        { title: t.setting, cell: ({ name }) => html`<code>${name}</code>` },
        { title: t.value, cell: ({ value }) => html`<span class="id">${settingText(value)}</span>` },
        { title: t.origin, cell: ({ origin }) => html`<span class="id">${origin}</span>` },
      ],
      settings,
      t.noSettings,
    )}</section>`,
  };
}

/** The last backups, and one that is asked for now: the process of the scheduled backups makes it. */
async function showBackups({ workplace, account, token }: Call): Promise<Html> {
  const { state, progress, failure } = await readBackupJob(workplace);
  const made = (await listMadeBackups(workplace)).slice(0, shownBackups);
  const isUnderWay = state === 'waiting' || state === 'running';
  const may = hasRight(account, 'server.operate') && workplace.settings.backupTo !== undefined && !isUnderWay;
  return html`<section class="stack"><h2>${t.backups}</h2>
${state !== 'none' && notice(t.jobs[state][0], `${t.jobs[state][1]} ${failure ?? progress ?? ''}`.trim())}${workplace.settings.backupTo === undefined && html`<p class="soft">${t.noBackupFolder}</p>`}
${table(
  t.backups,
  [
    { title: t.madeAt, cell: ({ at }) => time(at, 'UTC') },
    { title: t.by, cell: ({ actor }) => actor },
    { title: t.backupFolder, cell: ({ folder }) => html`<code class="print">${folder}</code>` },
    { title: t.files, cell: ({ files }) => amount(files), isNumber: true },
  ],
  made,
  t.noBackups,
)}
${may && html`<form method="post" action="/system/backup">${token}<button class="quiet">${t.backUp}</button></form>`}</section>`;
}

async function backUp({ workplace }: Call): Promise<Outcome> {
  await requestBackup(workplace);
  return { to: '/system?done=backup' };
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
  action('/system/backup', 'server.operate', '/system', backUp),
];
