/** Checks the machine's clock against the last time that an importer saw, and tells of its last jump. */
import { readClock } from '../../db/control/clock.js';
import { describeSpan } from '../../importer/schedule/clock.js';
import { formatTime } from '../format.js';
import type { Workplace } from '../workplace.js';
import { type Finding, reporter } from './finding.js';

const toldMs = 7 * 86_400_000;
/** Nodes may differ by so much. */
const toleranceMs = 60_000;
/** Certificates, TLS and the log have the time of the machine. */
const mostSkewMs = 10_000;
const advice = 'check the time synchronization (NTP) of the machine';

export async function examineClock({ control, now, skewMs }: Workplace): Promise<Finding[]> {
  const findings: Finding[] = [];
  const report = reporter(findings, 'clock', 'clock');
  const { seenAt, jump } = await readClock(control.read);
  const at = now();
  if (at < seenAt - toleranceMs)
    report('wrong', `it shows ${formatTime(at)}, but an importer has already seen ${formatTime(seenAt)}: ${advice}`);
  // After a jump that was corrected only one of its ends is near.
  if (jump !== null && Math.min(Math.abs(at - jump.from), Math.abs(at - jump.to)) < toldMs) {
    const way = jump.to > jump.from ? 'ahead' : 'back';
    const span = describeSpan(jump.to - jump.from);
    report(
      'warning',
      `it jumped ${way} by ${span}, from ${formatTime(jump.from)} to ${formatTime(jump.to)}: ${advice}`,
    );
  }
  const skew = skewMs?.() ?? 0;
  if (Math.abs(skew) > mostSkewMs)
    report(
      'warning',
      `the clock of this machine is ${describeSpan(skew)} ${skew > 0 ? 'ahead of' : 'behind'} that of the database server, which Dropslot uses: ${advice}`,
    );
  if (findings.length === 0) report('ok', 'it has not jumped in the last 7 days');
  return findings;
}
