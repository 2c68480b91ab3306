/** How long a process was ready to run and got no processor: on a machine with too much work, that is no fault of the process. */
import { readFileSync } from 'node:fs';

/** In ms since its start, of its main thread; 0: the system does not say (it is not Linux), or there is no such process. */
export function readWaitedMs(pid: number | undefined): number {
  try {
    // proc(5): time on a processor and time waiting for one, in ns, and the number of time slices.
    const [, waited] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
    const ms = Number(waited) / 1e6;
    return Number.isFinite(ms) ? ms : 0;
  } catch {
    return 0;
  }
}
