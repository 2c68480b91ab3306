/** `dropslot doctor`. */
import type { Command } from 'commander';
import { examples, outputOf, settingsOf } from '../command.js';
import { examine } from '../doctor/examine.js';
import type { Finding } from '../doctor/finding.js';
import { AdminError } from '../error.js';
import { escapeControl } from '../output.js';

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('check that everything is whole, and what expires soon')
    .description(
      `Checks that everything is whole: databases, keys, sealed files, organizations, runs, disk.
Exits with 1 when something is wrong; warnings alone exit with 0.`,
    )
    .addHelpText('after', examples('dropslot doctor', 'dropslot doctor --json'))
    .action(async (_options, command: Command) => {
      const out = outputOf(command);
      const findings = await examine(settingsOf(command));
      const wrong = findings.filter((finding) => finding.level === 'wrong').length;
      const warnings = findings.filter((finding) => finding.level === 'warning').length;
      await out.show(
        { whole: wrong === 0, wrong, warnings, findings },
        [...findings.map(renderFinding), '', summarize(wrong, warnings)].join('\n'),
      );
      if (wrong > 0) throw new AdminError('failed', `${countOf(wrong, 'thing')} wrong`);
    });
}

const marks = { ok: 'ok     ', warning: 'warning', wrong: 'WRONG  ' };

function renderFinding({ level, subject, message }: Finding): string {
  return escapeControl(`${marks[level]}  ${subject}: ${message}`);
}

function summarize(wrong: number, warnings: number): string {
  if (wrong + warnings === 0) return 'Everything is whole.';
  return `${countOf(wrong, 'thing')} wrong, ${countOf(warnings, 'warning')}.`;
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
