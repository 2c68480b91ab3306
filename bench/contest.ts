/** Dropslot and its peers take turns at the same work; one row of rates and ratios comes out for each. */
import { watchMemory } from './memory.js';
import type { Peer } from './peers.js';
import { describePeaks, median, ratio, type Section, spread } from './report.js';
import type { Workbench } from './workbench.js';

export interface Contest {
  title: string;
  about: string;
  /** The unit of each rate: `up MB/s`. */
  rates: string[];
  digits: number;
  /** One run on one server: its rates, in the order of `rates`. @throws Error when the content is wrong. */
  visit(peer: Peer, run: number): Promise<number[]>;
}

export async function holdContest({ flags, withPeers, say }: Workbench, contest: Contest): Promise<Section> {
  const { peers, skipped, stop } = await withPeers();
  const entrants = peers.map((peer) => ({
    peer,
    memory: watchMemory(peer.pid),
    measured: contest.rates.map((): number[] => []),
  }));
  for (let run = 1; run <= flags.runs; run++) {
    for (const { peer, measured } of entrants) {
      const rates = await contest.visit(peer, run);
      for (const [index, rate] of rates.entries()) measured[index]!.push(rate);
      const told = rates.map((rate, index) => `${contest.rates[index]} ${rate.toFixed(contest.digits)}`);
      say(`${contest.title} ${run}/${flags.runs}  ${peer.name}: ${told.join(', ')}`);
    }
  }
  const [ours] = entrants;
  const rows = entrants.map((entrant) => [
    `${entrant.peer.name} (at rest: ${entrant.peer.atRest})`,
    ...entrant.measured.flatMap((rates, index) => [
      spread(rates, contest.digits),
      entrant === ours ? '–' : ratio(median(ours!.measured[index]!), median(rates)),
    ]),
    describePeaks(entrant.memory.peaks()),
  ]);
  for (const { memory } of entrants) memory.stop();
  await stop();
  return {
    title: contest.title,
    about: `${contest.about} Median (lowest–highest) of ${flags.runs} runs, in which the servers take turns.`,
    header: ['server', ...contest.rates.flatMap((rate) => [rate, 'Dropslot / peer']), 'peak resident memory'],
    rows,
    notes: skipped,
  };
}
