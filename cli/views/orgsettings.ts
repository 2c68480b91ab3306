/** The settings of organizations in the terminal: the help of `orgs set`, and the values of one organization. */
import {
  describeTakes,
  type OrgSetting,
  orgSettings,
  type SettingValue,
} from '../../operations/orgsettings/orgsettings.js';
import { settingGroups, writeAssignment } from '../../operations/orgsettings/settingrow.js';
import { renderRecord } from '../output.js';
import { displayWidth } from '../width.js';

const helpWidth = 80;

/** Every setting with its meaning, values, default and example, in lines of at most 80 columns. */
export function renderSettingsHelp(settings: readonly OrgSetting[] = orgSettings): string {
  const left = Math.max(...settings.map(({ name }) => name.length)) + 4;
  const groups = settingGroups.flatMap((group) => {
    const members = settings.filter((setting) => setting.group === group);
    return members.length === 0 ? [] : [`\n${group}:`, ...members.map((setting) => renderSetting(setting, left))];
  });
  return groups.join('\n');
}

function renderSetting(setting: OrgSetting, left: number): string {
  const facts = `Takes ${describeTakes(setting)}.${sayDefault(setting)}`;
  const assignment = writeAssignment(setting.name, setting.example);
  // A long value is on a line of its own.
  const example = `Example: ${assignment.length > helpWidth - left ? assignment.replace('=', '= ') : assignment}`;
  const lines = [setting.meaning, facts, example].flatMap((text) => wrap(text, helpWidth - left));
  return lines.map((line, index) => `${(index === 0 ? `  ${setting.name}` : '').padEnd(left)}${line}`).join('\n');
}

function sayDefault({ default: standard }: OrgSetting): string {
  if (standard === null) return '';
  return typeof standard === 'string' ? ` Default: ${standard}.` : ` Default: the server setting ${standard.setting}.`;
}

/** The text in lines of at most `width` columns, cut between words. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || displayWidth(last) + 1 + displayWidth(word) > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** The settings by name. Those that have their default are left out, unless `all`. */
export function renderSettingValues(values: readonly SettingValue[], all: boolean): string {
  const shown = values.filter(({ isDefault }) => all || !isDefault);
  return renderRecord(
    shown.map(({ setting, text, isDefault }) => [setting.name, isDefault ? `${text} (default)` : text]),
  );
}
