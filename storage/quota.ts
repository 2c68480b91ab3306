/** Checks an upload against its organization's quota and the volume's free space, counting uploads in progress, those of other processes too. */
import type { Logger } from '../config/logger.js';
import type { Paths } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import type { Db } from '../db/connection.js';
import { writeOpenBytes } from '../db/control/openbytes.js';
import type { Org } from '../db/control/orgs.js';
import { measureQuota } from '../db/control/usage.js';
import type { Disk } from './disk.js';
import { type Limits, limitsOf } from './storagelimits.js';
import { SpaceError } from './types.js';

export interface QuotaDeps {
  control: Db;
  paths: Pick<Paths, 'partials'>;
  settings: Limits & Pick<Settings, 'minFreeBytes'>;
  logger: Logger;
  disk: Disk;
  now: () => number;
  /** Names this process among those that tell their bytes in progress. */
  process: string;
}

/** A measurement is used for this long. An upload is refused only after a fresh one. */
const freshMs = 1000;
/** Bytes in progress of an organization that other processes need not know of. */
const untoldBytes = 16 * 1024 * 1024;
/** A fast upload is told once in this time. */
const tellMs = 1_000;
/** Bytes in progress that are told count for this long, unless they are told again. */
const toldMs = 90_000;
const tellEveryMs = 30_000;
/** The free space is measured again after this many bytes were claimed. */
const freshBytes = 64 * 1024 * 1024;

interface Usage {
  limits: Limits;
  storedBytes: number;
  entries: number;
  measuredAt: number;
  /** Uploads in progress. */
  openBytes: number;
  openFiles: number;
  /** In progress in other processes, as they last told. */
  othersBytes: number;
  /** Of `openBytes`, as other processes know it. */
  toldBytes: number;
  measuring: Promise<void> | null;
}

/** One for a whole server: bytes of uploads in progress count before they are stored. */
export class Quota {
  readonly #deps: QuotaDeps;
  readonly #usages = new Map<string, Usage>();
  readonly #volume: Volume;
  #toldAt = Number.NEGATIVE_INFINITY;
  #telling: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: QuotaDeps) {
    this.#deps = deps;
    this.#volume = new Volume(deps);
  }

  /**
   * Begins the claim of one upload. `isNew`: no file or partial has its name yet. `resumedBytes`: stored bytes of the partial that it
   * resumes, which are removed when it is complete.
   * @throws SpaceError `quota`, `no_space`
   */
  async claim(org: Org, isNew: boolean, resumedBytes: number): Promise<Claim> {
    const usage = await this.#usageOf(org);
    const { maxFiles, maxStoredBytes } = usage.limits;
    const files = isNew ? 1 : 0;
    await this.#volume.check(0);
    if (usage.entries + usage.openFiles + files > maxFiles || bytesOf(usage) >= maxStoredBytes) {
      await this.#measure(org, usage);
      if (usage.entries + usage.openFiles + files > usage.limits.maxFiles)
        throw new SpaceError('quota', `${org.id} has ${usage.limits.maxFiles} files and folders, as many as it may`);
      this.#checkBytes(org, usage, 1);
    }
    usage.openFiles += files;
    let claimed = resumedBytes;
    return {
      limits: usage.limits,
      grow: (size) => {
        const more = size - claimed;
        if (more <= 0) return null;
        const take = () => {
          claimed += more;
          usage.openBytes += more;
          this.#volume.take(more);
          if (usage.openBytes - usage.toldBytes >= untoldBytes) this.#tellSoon();
        };
        if (fits(usage, more) && this.#volume.fits(more)) {
          take();
          return null;
        }
        return this.#growSlowly(org, usage, more).then(take);
      },
      release: (storedBytes) => {
        usage.openFiles -= files;
        usage.openBytes -= claimed - resumedBytes;
        if (usage.toldBytes > usage.openBytes) this.#tell();
        usage.storedBytes += Math.max(0, storedBytes - resumedBytes);
        usage.entries += files;
      },
    };
  }

  async #growSlowly(org: Org, usage: Usage, more: number): Promise<void> {
    if (!fits(usage, more)) {
      await this.#measure(org, usage);
      this.#checkBytes(org, usage, more);
    }
    await this.#volume.check(more);
  }

  #checkBytes(org: Org, usage: Usage, more: number): void {
    if (fits(usage, more)) return;
    const { storedBytes, openBytes, othersBytes, limits } = usage;
    throw new SpaceError(
      'quota',
      `${org.id} has ${storedBytes} bytes stored and ${openBytes + othersBytes} being uploaded; ${limits.maxStoredBytes} are allowed`,
    );
  }

  async #usageOf(org: Org): Promise<Usage> {
    let usage = this.#usages.get(org.id);
    if (usage === undefined) {
      const limits = limitsOf(org, this.#deps.settings);
      const none = { storedBytes: 0, entries: 0, openBytes: 0, openFiles: 0, othersBytes: 0, toldBytes: 0 };
      usage = { limits, ...none, measuredAt: Number.NEGATIVE_INFINITY, measuring: null };
      this.#usages.set(org.id, usage);
    }
    const age = this.#deps.now() - usage.measuredAt;
    if (age < 0 || age >= freshMs) await this.#measure(org, usage);
    return usage;
  }

  /** Also reads the organization's limits anew: a session may be older than they are. */
  #measure(org: Org, usage: Usage): Promise<void> {
    const measure = async () => {
      const { control, settings, now } = this.#deps;
      const at = now();
      const of = { org: org.id, process: this.#deps.process, after: at - toldMs };
      const { bytes: storedBytes, entries, othersBytes, limits } = await measureQuota(control.read, of);
      usage.limits = limitsOf(limits === null ? org : { limits }, settings);
      Object.assign(usage, { storedBytes, entries, othersBytes, measuredAt: at });
    };
    usage.measuring ??= measure().finally(() => {
      usage.measuring = null;
    });
    return usage.measuring;
  }

  #tellSoon(): void {
    const age = this.#deps.now() - this.#toldAt;
    if (age < 0 || age >= tellMs) this.#tell();
  }

  /** Without delaying an upload: writes the bytes in progress that other processes should count; again until they are over. */
  #tell(): void {
    this.#telling ??= this.#write().finally(() => {
      this.#telling = null;
      const isTold = [...this.#usages.values()].some(({ toldBytes }) => toldBytes > 0);
      if (this.#timer !== null) clearTimeout(this.#timer);
      this.#timer = isTold ? setTimeout(() => this.#tell(), tellEveryMs) : null;
      this.#timer?.unref();
    });
  }

  async #write(): Promise<void> {
    const { control, now, logger, process } = this.#deps;
    this.#toldAt = now();
    const rows: { org: string; bytes: number }[] = [];
    for (const [org, usage] of this.#usages) {
      const bytes = usage.openBytes >= untoldBytes ? usage.openBytes : 0;
      if (bytes === 0 && usage.toldBytes === 0) continue;
      usage.toldBytes = bytes;
      rows.push({ org, bytes });
    }
    const at = now();
    await control
      .transact((tx) => writeOpenBytes(tx, { process, at, before: at - toldMs, rows }))
      .catch(({ message: reason }: Error) =>
        logger.warn('could not tell other processes of the bytes in progress; will try again', { reason }),
      );
  }
}

/** The space that one upload has claimed. */
export interface Claim {
  /** As they were when the upload began. */
  readonly limits: Limits;
  /**
   * Takes room for so many bytes in all. null: taken at once, as nearly always; else once it resolves.
   * @throws SpaceError `quota`, `no_space` by the promise
   */
  grow(size: number): Promise<void> | null;
  /** Ends the claim, of which `storedBytes` are stored now. */
  release(storedBytes: number): void;
}

function fits(usage: Usage, more: number): boolean {
  return bytesOf(usage) + more <= usage.limits.maxStoredBytes;
}

function bytesOf({ storedBytes, openBytes, othersBytes }: Usage): number {
  return storedBytes + openBytes + othersBytes;
}

/** The free space of the volume, measured at intervals. */
class Volume {
  readonly #deps: QuotaDeps;
  #freeBytes = 0;
  #measuredAt = Number.NEGATIVE_INFINITY;
  #takenBytes = 0;
  #isShort = false;

  constructor(deps: QuotaDeps) {
    this.#deps = deps;
  }

  fits(more: number): boolean {
    const { minFreeBytes } = this.#deps.settings;
    if (minFreeBytes === 0) return true;
    const age = this.#deps.now() - this.#measuredAt;
    const isFresh = age >= 0 && age < freshMs && this.#takenBytes < freshBytes;
    return isFresh && this.#freeBytes - this.#takenBytes - more >= minFreeBytes;
  }

  take(more: number): void {
    this.#takenBytes += more;
  }

  /** @throws SpaceError `no_space` */
  async check(more: number): Promise<void> {
    if (this.fits(more)) return;
    const { disk, paths, logger, settings, now } = this.#deps;
    await disk.makeFolder(paths.partials);
    const freeBytes = await disk.freeBytes(paths.partials);
    this.#freeBytes = freeBytes;
    this.#takenBytes = 0;
    this.#measuredAt = now();
    const isShort = freeBytes - more < settings.minFreeBytes;
    const detail = { folder: paths.partials, freeBytes, minFreeBytes: settings.minFreeBytes };
    if (isShort && !this.#isShort)
      logger.error('the disk is nearly full; will refuse uploads until space is free', detail);
    if (!isShort && this.#isShort) logger.info('the disk has free space again; uploads are accepted', detail);
    this.#isShort = isShort;
    if (isShort) throw new SpaceError('no_space', `${freeBytes} bytes are free, ${settings.minFreeBytes} must stay`);
  }
}
