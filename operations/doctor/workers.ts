/** Checks whether the processes for connections of each server run, and whether they are started again and again. */
import { listWorkers } from '../../db/control/workers.js';
import type { Workplace } from '../workplace.js';
import type { Finding } from './finding.js';

/** Since the server began; one may be an accident. */
const mostRestarts = 3;

export async function examineWorkers({ control, now }: Pick<Workplace, 'control' | 'now'>): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { server, number, pid, restarts } of await listWorkers(control.read, now())) {
    const subject = `${server}, process ${number}`;
    if (pid === null)
      findings.push({
        ...{ level: 'wrong', check: 'workers', subject },
        message: 'this process for connections does not run; the server starts it again: read the log',
      });
    else if (restarts >= mostRestarts)
      findings.push({
        ...{ level: 'warning', check: 'workers', subject },
        message: `this process for connections was started again ${restarts} times since the server began; each time its sessions ended: read the log`,
      });
  }
  return findings;
}
