/** The reports of one run as they are sealed: gives each a path that is free, and remembers which blob belongs there. */
import type { Paths } from '../../config/paths.js';
import type { Db } from '../../db/connection.js';
import { freeName } from '../../db/control/entries.js';
import { findTakenNames } from '../../db/control/manyentries.js';
import { foldName, safeName } from '../../db/control/names.js';
import type { Settlement } from '../../db/control/settle.js';
import type { Keep } from '../../storage/blobcommit.js';
import type { SealedBlob } from '../../storage/sealedwriter.js';
import { escapeJson } from '../outside.js';
import type { RunSummary } from '../types.js';
import { nameSealed, writeText } from './filereport.js';
import { withSchema } from './schema.js';
import { describeRun } from './summarytext.js';

type Report = Settlement['reports'][number];

export interface ReportSetDeps {
  control: Db;
  paths: Paths;
  org: { id: string; recipient: string };
  /** Takes note of each blob that was sealed. */
  keep: Keep;
  /** The customer's PGP key in armor, to which all reports are encrypted; null: none. */
  encryptTo: string | null;
}

/** Of the summary for people, and for programs. */
export const summaryEndings = ['.txt', '.json'] as const;

export class ReportSet {
  readonly #deps: ReportSetDeps;
  readonly #reports: Report[] = [];
  /** Names that were given, folded, by folder. */
  readonly #taken = new Map<string, Set<string>>();

  /** Names that were looked for in the database, and those of them that are taken, by folder. */
  readonly #looked = new Map<string, Set<string>>();
  #found: ReadonlyMap<string, ReadonlySet<string>> = new Map();

  constructor(deps: ReportSetDeps) {
    this.#deps = deps;
  }

  get reports(): readonly Report[] {
    return this.#reports;
  }

  /** Looks for many names at once, before they are reserved. @param names by folder */
  async lookFor(names: ReadonlyMap<string, readonly string[]>): Promise<void> {
    const { control, org } = this.#deps;
    const safe = new Map([...names].map(([folder, all]) => [folder, [...new Set(all.map(safeName))]]));
    this.#found = await findTakenNames(control.read, org.id, safe);
    for (const [folder, all] of safe) this.#looked.set(folder, new Set(all));
  }

  /** A path in the folder that is free now and that this set has not given before: `name` in its safe form, or `users-2.csv` and so on. */
  async reserve(folder: string, name: string): Promise<string> {
    const { control, org } = this.#deps;
    const taken = this.#taken.get(folder) ?? new Set();
    const safe = safeName(name);
    const isFree =
      this.#looked.get(folder)?.has(safe) === true &&
      this.#found.get(folder)?.has(safe) !== true &&
      this.#found.get(folder)?.has(foldName(safe)) !== true &&
      !taken.has(foldName(safe));
    const free = isFree ? safe : await freeName(control.read, org.id, folder, name, taken);
    this.#taken.set(folder, taken.add(foldName(free)));
    return `${folder}/${free}`;
  }

  /** The name that says whether a report is encrypted to the customer. */
  nameOf(name: string): string {
    return nameSealed(name, this.#deps);
  }

  /** Seals a report for the folder; its path. `alsoIn`: a folder in which it has a second name. */
  async add(folder: string, name: string, write: () => Promise<SealedBlob>, alsoIn?: string): Promise<string> {
    const sealed = this.nameOf(name);
    const path = await this.reserve(folder, sealed);
    const alsoAs = alsoIn === undefined ? {} : { alsoAs: await this.reserve(alsoIn, sealed) };
    this.#reports.push({ path, ...alsoAs, blob: await this.#deps.keep(write()) });
    return path;
  }

  /** Seals the summary for people (`.txt`) and for programs (`.json`). */
  async addSummary(folder: string, stem: string, summary: RunSummary): Promise<void> {
    const { paths, org, encryptTo } = this.#deps;
    const deps = { paths, recipient: org.recipient, encryptTo };
    const [text, json] = summaryEndings;
    await this.add(folder, `${stem}${text}`, () => writeText(deps, describeRun(summary)));
    await this.add(folder, `${stem}${json}`, () =>
      writeText(deps, `${escapeJson(JSON.stringify(withSchema(summary), null, 2))}\n`),
    );
  }
}
