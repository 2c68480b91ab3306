/** Runs a command: reads its settings, makes its output, opens and closes its workplace. */
import type { Command } from 'commander';
import { readSettings, type Settings, type SettingsChoice } from '../operations/settings.js';
import type { Workplace, WorkplaceOptions } from '../operations/workplace.js';
import { appOf } from './app.js';
import { createOutput, type Output } from './output.js';

interface GlobalOptions {
  config?: string;
  data?: string;
  json?: boolean;
  wide?: boolean;
}

/** Settings of this invocation; `overrides` are the command's own options. */
export function settingsOf(command: Command, overrides: Partial<Record<keyof Settings, unknown>> = {}): Settings {
  return readSettings(choiceOf(command, overrides));
}

/** Where the settings of this invocation are. */
export function choiceOf(command: Command, overrides: Partial<Record<keyof Settings, unknown>> = {}): SettingsChoice {
  const { config, data } = command.optsWithGlobals<GlobalOptions>();
  return { file: config, overrides: { ...overrides, data }, descriptors: appOf(command).descriptors };
}

export function outputOf(command: Command): Output {
  const { json = false, wide } = command.optsWithGlobals<GlobalOptions>();
  return createOutput({ json, wide, terminal: appOf(command).terminal }, process.stdout, process.stderr);
}

/** Makes the output for `use`; no progress remains on the screen after it, also when that fails. */
export async function withOutput(command: Command, use: (out: Output) => Promise<void>): Promise<void> {
  const out = outputOf(command);
  try {
    await use(out);
  } finally {
    out.endProgress();
  }
}

/** Opens the workplace for `use`, and closes it also when that fails. */
export async function atWorkplace(
  command: Command,
  use: (workplace: Workplace, out: Output) => Promise<void>,
  options: WorkplaceOptions = {},
): Promise<void> {
  const workplace = await appOf(command).openWorkplace(settingsOf(command), options);
  try {
    await withOutput(command, (out) => use(workplace, out));
  } finally {
    await workplace.close();
  }
}

/** As atWorkplace, without directory.db: for commands that need only control.db, and work beside a directory.db that can't be opened. */
export function atControl(
  command: Command,
  use: (workplace: Workplace, out: Output) => Promise<void>,
  options: WorkplaceOptions = {},
): Promise<void> {
  return atWorkplace(command, use, { ...options, withoutDirectory: true });
}

/** The examples below a command's help. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
