/** The runs of a round: opened as an operator's commands do, on the database itself, and waited for. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { openManualRun } from '../../db/control/runs.js';
import { listQueue } from '../../db/control/uploads.js';
import type { Workplace } from '../../operations/workplace.js';
import { query } from './installation.js';
import type { TestNode } from './node.js';
import type { WorkOfBuilds } from './work.js';

const drainMs = 240_000;
const slotMs = 240_000;

export interface Opening {
  open(): Promise<Workplace>;
  url(): string;
  orgs: readonly string[];
  mayGoOn(): boolean;
  isByHand: boolean;
  /** A node has brought the schema to that of this version: before, no process of the test does. */
  isMigrated(): boolean;
  onQueue(org: string, queued: number): void;
  work: WorkOfBuilds;
}

export async function openRuns(opening: Opening): Promise<void> {
  const { open, url, orgs, mayGoOn, isByHand, isMigrated, onQueue, work } = opening;
  while (mayGoOn()) {
    try {
      for (; mayGoOn() && !isMigrated(); await sleep(300))
        for (const org of orgs) onQueue(org, await countQueued(url(), org));
      const place = await open();
      try {
        for (; mayGoOn(); await sleep(300)) {
          await work.noteRuns(place);
          for (const org of orgs) {
            if (isByHand) await openManualRun(place.control.write, org, place.now());
            onQueue(org, (await listQueue(place.control.read, org)).length);
          }
        }
      } finally {
        await place.close();
      }
    } catch {
      await sleep(500);
    }
  }
}

async function countQueued(url: string, org: string): Promise<number> {
  const sql = "SELECT count(*) AS queued FROM dropslot_control.uploads WHERE state = 'queued' AND org_id = $1";
  const [row] = await query<{ queued: string }>(url, sql, [org]);
  return Number(row!.queued);
}

/** One begins at each minute of the database's clock; after a fault the schedulers may still be starting. */
export async function waitForSlots(open: () => Promise<Workplace>, orgs: readonly string[]): Promise<void> {
  const place = await open();
  try {
    for (const deadline = performance.now() + slotMs; performance.now() < deadline; await sleep(500)) {
      const having = await place.control.read('runs').where({ kind: 'slot' }).distinct().pluck<string[]>('org_id');
      if (having.length === orgs.length) return;
    }
  } finally {
    await place.close();
  }
}

/** Opens runs until no file waits any more. */
export async function drain(
  place: Workplace,
  orgs: readonly string[],
  nodes: readonly TestNode[],
  work: WorkOfBuilds,
): Promise<void> {
  const { control, now } = place;
  for (const deadline = performance.now() + drainMs; ; await sleep(200)) {
    await work.noteRuns(place);
    const waiting = await control.read('uploads').whereIn('state', ['queued', 'running']).pluck<string[]>('org_id');
    const working = await control.read('runs').whereIn('state', ['open', 'running']);
    if (waiting.length === 0 && working.length === 0) return;
    assert.ok(
      performance.now() < deadline,
      `not imported in time: ${JSON.stringify({ waiting, working, up: nodes.map(({ isUp }) => isUp) })}`,
    );
    const busy = working.map(({ org_id }) => org_id);
    for (const org of orgs)
      if (waiting.includes(org) && !busy.includes(org)) await openManualRun(control.write, org, now());
  }
}
