/** Works on one source: claims it, runs a round under a lease and a deadline, and records the result, its alarm and its next time. */

import { setDoorAlarm } from '../db/control/alarms.js';
import type { Org } from '../db/control/orgs.js';
import { findOrg } from '../db/control/orgs.js';
import {
  claimSource,
  findSource,
  holdSource,
  type RoundResult,
  releaseSource,
  type Source,
  type SourceChange,
  updateSource,
  updateUnchangedSource,
  wordOf,
} from '../db/control/sources.js';
import type { MasterKey } from '../keys/master/master.js';
import { SpaceError } from '../storage/types.js';
import type { RoundDeps } from './deps.js';
import { SourceError } from './error.js';
import type { Patience } from './folder/patience.js';
import { openFolderPlace } from './folder/place.js';
import type { Place } from './place.js';
import { runRound } from './round.js';
import { nextRound, type ScheduleDeps } from './schedule.js';
import { openSecret } from './secret.js';
import type { Resolve } from './sftp/address.js';
import { openSftpPlace } from './sftp/place.js';

export interface WorkDeps extends Omit<RoundDeps, 'openPlace' | 'signal' | 'leaseMs'> {
  /** Reads the master key as it is now. @throws KeyError */
  loadMaster(): Promise<MasterKey>;
  nextSlot: ScheduleDeps['nextSlot'];
  patience: Patience;
  /** For tests. */
  resolve?: Resolve;
}

export const leaseMs = 120_000;
const renewEveryMs = 30_000;
/** Failures that do not pass by themselves open the alarm at once. */
const lasting: readonly string[] = ['login', 'secret', 'private_address', 'incompatible'];
const failuresBeforeAlarm = 3;

export interface Ended {
  result: RoundResult | null;
  /** null: it succeeded. */
  failure: { code: string; message: string } | null;
}

/** Opens the place of a source. @throws SourceError, KeyError */
export async function openPlace(
  { settings, loadMaster, resolve, patience }: Pick<WorkDeps, 'settings' | 'loadMaster' | 'resolve' | 'patience'>,
  { config, secret }: Source,
): Promise<Place> {
  if (config.kind === 'folder') return openFolderPlace(config, patience);
  const opened = await openSecret(await loadMaster(), secret!);
  const idleMs = settings.sourceIdleSeconds * 1000;
  return openSftpPlace(config, opened, { idleMs, ...(resolve && { resolve }) });
}

/** null: another node has it, or it is gone. @param stop ends the round early */
export async function workOn(deps: WorkDeps, id: number, stop: AbortSignal): Promise<Ended | null> {
  const { control, owner, now } = deps;
  if (!(await claimSource(control.write, id, owner, now(), now() + leaseMs))) return null;
  try {
    const source = await findSource(control.read, id);
    const org = source === null ? null : await findOrg(control.read, source.org);
    if (source === null || org === null) return null;
    const ended = await attempt(deps, source, org, stop);
    await record(deps, source, org, ended);
    return ended;
  } finally {
    await releaseSource(control.write, id, owner);
  }
}

async function attempt(deps: WorkDeps, source: Source, org: Org, stop: AbortSignal): Promise<Ended> {
  const { control, owner, now, settings } = deps;
  const ending = new AbortController();
  const end = (error: SourceError) => ending.abort(error);
  const onStop = () => end(new SourceError('stopped', 'the process stops'));
  if (stop.aborted) onStop();
  stop.addEventListener('abort', onStop, { once: true });
  const minutes = settings.sourceRoundMinutes;
  const deadline = setTimeout(
    () => end(new SourceError('timeout', `the round took longer than ${minutes} minutes (sourceRoundMinutes)`)),
    minutes * 60_000,
  );
  const renewing = setInterval(() => {
    holdSource(control.write, source.id, owner, now() + leaseMs).then(
      (isHeld) => isHeld || end(new SourceError('lease', 'another node has this source now')),
      () => {}, // the next renewal tries it again, and the publication of a file checks it
    );
  }, renewEveryMs);
  try {
    const place = (one: Source) => openPlace(deps, one);
    return {
      result: await runRound({ ...deps, leaseMs, openPlace: place, signal: ending.signal }, source, org),
      failure: null,
    };
  } catch (error) {
    if (
      !(error instanceof SourceError || error instanceof SpaceError) &&
      (error as { name?: string }).name !== 'KeyError'
    )
      throw error;
    const { code, message } = error as SourceError;
    return { result: null, failure: { code, message } };
  } finally {
    clearTimeout(deadline);
    clearInterval(renewing);
    stop.removeEventListener('abort', onStop);
  }
}

async function record(deps: WorkDeps, source: Source, org: Org, { result, failure }: Ended): Promise<void> {
  const { control, logger, now, nextSlot, owner, settings } = deps;
  const at = now();
  if (failure?.code === 'stopped' || failure?.code === 'lease') return;
  const subject = `${wordOf(source.config.kind)} ${source.id}`;
  const failures = failure === null ? 0 : source.failures + 1;
  const failureCode = failure?.code ?? null;
  const isChanged = failureCode === 'host_key' && source.state === 'active';
  const schedule = { nextSlot, leadMs: settings.sourceLeadMinutes * 60_000 };
  const waitingRounds = (result?.waiting ?? 0) > 0 ? (source.result?.waitingRounds ?? 0) + 1 : 0;
  const failedAt = failure === null ? null : (source.failedAt ?? at);
  const round: SourceChange = {
    lastAt: at,
    ...(result !== null && { result: { ...result, waitingRounds }, lastOkAt: at }),
  };
  const change: SourceChange = {
    ...round,
    failures,
    failure: failure?.message ?? null,
    failureCode,
    failedAt,
    nextAt: nextRound(source.config, org, at, { failures, failureCode, waitingRounds }, schedule),
    ...(isChanged && { state: 'host_key_changed' }),
  };
  const isFailing =
    failure !== null && !isChanged && (failures >= failuresBeforeAlarm || lasting.includes(failure.code));
  const isUnchanged = await control.transact(async (tx) => {
    // This process stood still, and another node has the source now: its round counts.
    if (!(await holdSource(tx, source.id, owner, at + leaseMs))) return null;
    if (!(await updateUnchangedSource(tx, source, change))) {
      // An operator has changed or disabled it meanwhile: the failure may be mended, and its next time is set.
      await updateSource(tx, source.id, round);
      return false;
    }
    if (isFailing || failure === null)
      await setDoorAlarm(
        tx,
        org.id,
        { kind: 'source_failing', subject, detail: { since: failedAt ?? at } },
        isFailing,
        at,
      );
    if (isChanged || failure === null)
      await setDoorAlarm(tx, org.id, { kind: 'host_key_changed', subject, detail: { since: at } }, isChanged, at);
    return true;
  });
  if (isUnchanged === null) return;
  const about = { org: org.id, source: source.id };
  if (failure !== null) {
    const retry = isChanged ? 'nothing is fetched until its host key is confirmed' : 'will retry';
    const wait = { failures, nextInSeconds: Math.round((change.nextAt! - at) / 1000) };
    logger.warn(
      `could not take files from ${subject}; ${isUnchanged ? retry : 'its settings have been changed meanwhile'}`,
      {
        ...about,
        code: failure.code,
        reason: failure.message,
        ...(isUnchanged && !isChanged && wait),
      },
    );
  } else if (result!.taken > 0)
    logger.info(`took files from ${subject}`, { ...about, files: result!.taken, bytes: result!.bytes });
  if (result !== null && result.problems.length > 0)
    logger.warn(`some files of ${subject} could not be taken`, { ...about, files: result.problems.length });
}
