/** `dropslot doctor`: check the installation, and repair problems after asking. */
import type { Command } from 'commander';
import { type ExamineOptions, examine } from '../../operations/doctor/examine.js';
import type { Finding } from '../../operations/doctor/finding.js';
import { OperationError } from '../../operations/error.js';
import { escapeControl } from '../../operations/format.js';
import { findSettingsFile } from '../../operations/settings.js';
import { appOf } from '../app.js';
import { markTints } from '../color.js';
import { choiceOf, examples, settingsOf, withOutput } from '../command.js';
import type { Output } from '../output.js';
import { askYes, requireTerminal } from '../prompt.js';

interface DoctorOptions {
  deep?: boolean;
  mend?: boolean;
  yes?: boolean;
  strict?: boolean;
}

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('check the installation')
    .description(
      `Checks databases, keys, sealed files, organizations, runs and disk. Works while the server runs.
Exits with 1 when it finds an error; warnings alone exit with 0, or with --strict with 1.`,
    )
    .option('--deep', 'also read every sealed file to its end, and every page of the databases')
    .option('--strict', 'exit with 1 for warnings too, such as held runs and missing files')
    .option('--mend', 'repair the problems that can be repaired without losing data; asks first')
    .option('--yes', 'repair without asking')
    .addHelpText('after', examples('dropslot doctor', 'dropslot doctor --deep --json', 'dropslot doctor --mend --yes'))
    .action(({ deep, mend, yes, strict }: DoctorOptions, command: Command) =>
      withOutput(command, async (out) => {
        const settingsFile = findSettingsFile(choiceOf(command));
        const options: ExamineOptions = { deep: deep === true, onProgress: out.progress, settingsFile };
        if (mend === true) options.mayMend = yes === true ? async () => true : (mendable) => ask(mendable, out);
        const findings = await examine(settingsOf(command), appOf(command).openWorkplace, options);
        const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
        const [wrong, warnings, mended] = [count('wrong'), count('warning'), count('mended')];
        const mendable = findings.filter(({ level, mend: way }) => way !== undefined && level !== 'mended').length;
        await out.show(
          { whole: wrong === 0, wrong, warnings, mended, findings: findings.map(toJson) },
          [...renderFindings(findings), '', summarize(wrong, warnings, mended)].join('\n'),
          markTints,
        );
        if (mendable > 0 && mend !== true) out.note(`"dropslot doctor --mend" can repair ${mendable} of them.`);
        if (wrong > 0) throw new OperationError('failed', `found ${countOf(wrong, 'error')}`);
        if (strict === true && warnings > 0)
          throw new OperationError('failed', `found ${countOf(warnings, 'warning')}`);
      }),
    );
}

/** @throws OperationError `refused` without a terminal to ask at */
async function ask(mendable: readonly Finding[], out: Output): Promise<boolean> {
  requireTerminal(`the repair of ${countOf(mendable.length, 'problem')}`);
  out.endProgress();
  for (const { mend } of mendable) out.note(escapeControl(`to repair: ${mend!.what}`));
  return askYes(`Repair ${countOf(mendable.length, 'problem')}?`);
}

/** More organizations without a problem are one line. */
const mostWhole = 20;

function renderFindings(findings: readonly Finding[]): string[] {
  const isWhole = ({ level, check }: Finding) => level === 'ok' && check === 'organization';
  const whole = findings.filter(isWhole);
  if (whole.length <= mostWhole) return findings.map(renderFinding);
  const lines = findings.filter((one) => !isWhole(one)).map(renderFinding);
  return [...lines, `${marks.ok}  ${whole.length} organizations: whole (--json lists them)`];
}

const marks = { ok: 'ok     ', mended: 'mended ', warning: 'warning', wrong: 'WRONG  ' };

function renderFinding({ level, subject, message }: Finding): string {
  return escapeControl(`${marks[level]}  ${subject}: ${message}`);
}

function toJson({ mend, ...finding }: Finding): unknown {
  return { ...finding, mendable: mend !== undefined && finding.level !== 'mended' };
}

function summarize(wrong: number, warnings: number, mended: number): string {
  const repaired = mended === 0 ? '' : ` ${countOf(mended, 'problem')} repaired.`;
  if (wrong + warnings === 0) return `No problems found.${repaired}`;
  return `${countOf(wrong, 'error')}, ${countOf(warnings, 'warning')}.${repaired}`;
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
