/** Renders docs/organization-settings.md, the reference of `orgs set`, from the table of settings. */
import { renderTable, unitsText } from '../../config/reference.js';
import { settingsSchema } from '../../config/settings.js';
import { describeTakes, listWithoutDefault, type OrgSetting, orgSettings } from './orgsettings.js';
import { settingGroups, writeAssignment } from './settingrow.js';

const preface = `# Settings of an organization

Generated from the table in \`operations/orgsettings/orgsettings.ts\` by \`npm run docs\`. The settings of the whole server are in [settings.md](settings.md).

\`dropslot orgs set ORG KEY=VALUE…\` changes any of these settings; \`dropslot orgs show ORG --all\` prints their values. If one of the values is wrong,
nothing is changed. \`KEY=default\` restores the default of every setting but ${listWithoutDefault()}.

    dropslot orgs set acme slot=04:30 timeZone=America/New_York
    dropslot orgs set acme maxStoredBytes=20GiB maxFiles=default

${unitsText()}
`;

/** Markdown; the same text for the same table. */
export function renderOrgReference(settings: readonly OrgSetting[] = orgSettings): string {
  const sections = settingGroups.flatMap((group) => {
    const rows = settings.filter((setting) => setting.group === group).map(toRow);
    return rows.length === 0 ? [] : [`## ${group}\n\n${renderTable(header, rows)}\n`];
  });
  return [preface, ...sections].join('\n');
}

const header = ['Key', 'Meaning', 'Takes', 'Default', 'Example'];

function toRow(setting: OrgSetting): string[] {
  const { name, meaning, example } = setting;
  return [
    `\`${name}\``,
    meaning,
    describeTakes(setting),
    describeDefault(setting),
    `\`${writeAssignment(name, example)}\``,
  ];
}

function describeDefault({ default: standard, write }: OrgSetting): string {
  if (standard === null || typeof standard === 'string') return standard ?? '–';
  const { setting } = standard;
  const value = settingsSchema.shape[setting].parse(undefined);
  return `the server setting \`${setting}\` (${write(value as never)})`;
}
