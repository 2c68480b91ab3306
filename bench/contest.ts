/**
 * Dropslot and its peers take turns at the same work, and the first turn is a warm-up that is not counted; one row of rates and ratios comes
 * out for each. A ratio is the median of the ratios of the pairs: what slows a machine down for a minute slows both of a pair.
 */
import { watchMemory } from './memory.js';
import type { Peer } from './peers.js';
import { describePeaks, describeRatio, type Section, spread } from './report.js';
import type { Workbench } from './workbench.js';

export interface Contest {
  title: string;
  about: string;
  /** The unit of each rate: `up MB/s`. */
  rates: string[];
  /** Of each rate, or of all. */
  digits: number | readonly number[];
  /** One run on one server: its rates, in the order of `rates`. Run 0 is not counted. @throws Error when the content is wrong. */
  visit(peer: Peer, run: number): Promise<number[]>;
}

export async function holdContest({ flags, withPeers, say }: Workbench, contest: Contest): Promise<Section> {
  const { peers, skipped, stop } = await withPeers();
  const entrants = peers.map((peer) => ({
    peer,
    memory: watchMemory(peer.pid),
    measured: contest.rates.map((): number[] => []),
  }));
  const digitsOf = (index: number): number =>
    typeof contest.digits === 'number' ? contest.digits : contest.digits[index]!;
  for (let run = 0; run <= flags.runs; run++) {
    for (const { peer, measured } of run % 2 === 0 ? entrants : [...entrants].reverse()) {
      const rates = await contest.visit(peer, run);
      if (run > 0) for (const [index, rate] of rates.entries()) measured[index]!.push(rate);
      const told = rates.map((rate, index) => `${contest.rates[index]} ${rate.toFixed(digitsOf(index))}`);
      say(`${contest.title} ${run}/${flags.runs}  ${peer.name}: ${told.join(', ')}`);
    }
  }
  const [ours] = entrants;
  const rows = entrants.map((entrant) => [
    `${entrant.peer.name} (at rest: ${entrant.peer.atRest})`,
    ...entrant.measured.flatMap((rates, index) => [
      spread(rates, digitsOf(index)),
      entrant === ours ? '–' : describeRatio(ours!.measured[index]!, rates),
    ]),
    describePeaks(entrant.memory.peaks()),
  ]);
  for (const { memory } of entrants) memory.stop();
  await stop();
  return {
    title: contest.title,
    about: `${contest.about} Median (lowest–highest) of ${flags.runs} runs, in which the servers take turns, after one that is not counted; the ratio is the median of the ratios of the runs.`,
    header: ['server', ...contest.rates.flatMap((rate) => [rate, 'Dropslot / peer']), 'peak resident memory'],
    rows,
    notes: skipped,
  };
}
