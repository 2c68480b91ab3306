/** One organization with real databases, keys and sealed files: drop a file, import, look at what became of it. */

import { readFile, writeFile } from 'node:fs/promises';
import { createSilentLogger } from '../../config/logger.js';
import { pathsOf } from '../../config/paths.js';
import { findEntry } from '../../db/control/entries.js';
import { findOrg, insertOrg, type Org } from '../../db/control/orgs.js';
import { findRun, openManualRun } from '../../db/control/runs.js';
import { insertOwner } from '../../db/directory/users.js';
import { type WorkerDeps, workNext } from '../../importer/run/worker.js';
import type { RunSummary } from '../../importer/types.js';
import { createIntake, type IntakeService } from '../../intake/intake.js';
import { createKeyring } from '../../keys/master/keyring.js';
import { loadMaster, loadOrCreateMaster } from '../../keys/master/master.js';
import { createOrgIdentity } from '../../keys/master/orgidentity.js';
import { blobPath } from '../../storage/blobs.js';
import { isFixed, splitPath } from '../../storage/path.js';
import { openSpace } from '../../storage/space.js';
import type { Space } from '../../storage/types.js';
import type { TestDatabases } from './databases.js';
import { replacing, sender } from './intake.js';
import { sampleOrg } from './samples.js';
import type { Scope } from './temporary.js';

/** Noon in Berlin, where sample organizations are. */
export const importMoment = Date.UTC(2026, 2, 10, 11);

export class Company {
  /** Moves only when a test moves it. */
  clock = importMoment;

  readonly #intake: IntakeService;
  readonly #space: Space;

  private constructor(
    readonly org: Org,
    readonly deps: WorkerDeps,
    readonly databases: TestDatabases,
  ) {
    const { control, paths, settings, logger, now, identity } = deps;
    this.#intake = createIntake({ control, paths, settings, logger, now, identity });
    this.#space = openSpace({ control, paths, settings, now, org, identity: () => identity(org) });
  }

  /** In databases of its own. */
  static async open(
    open: (scope: Scope) => Promise<TestDatabases>,
    context: Scope,
    change: Partial<Org> = {},
  ): Promise<Company> {
    return Company.join(await open(context), change);
  }

  /** Beside others in the same databases, which is quicker; give it an id of its own. */
  static async join(databases: TestDatabases, change: Partial<Org> = {}): Promise<Company> {
    const { settings, control, directory } = databases;
    const paths = pathsOf(settings);
    const { master } = await loadOrCreateMaster(paths);
    const org = sampleOrg('acme', { ...(await createOrgIdentity(master.recipient)), ...change });
    await insertOrg(control.write, org);
    await insertOwner(directory.write, {
      org: org.id,
      email: org.ownerEmail,
      emailKey: org.ownerEmail,
      at: importMoment,
    });
    const keyring = createKeyring({
      loadMaster: () => loadMaster(paths),
      findOrg: (id) => findOrg(control.read, id),
    });
    const company: Company = new Company(
      org,
      {
        settings,
        paths,
        control,
        directory,
        identity: keyring.open,
        logger: createSilentLogger(),
        now: () => company.clock,
        owner: 'test',
        isStopping: () => false,
      },
      databases,
    );
    return company;
  }

  /** Uploads a file through the intake, as a session does: sealed, published, and queued (or for a dry run, by its path). */
  async drop(path: string, content: string | Buffer): Promise<void> {
    await this.#makeFolder(splitPath(path).dir);
    const upload = await this.#intake.forSender(this.org, sender).begin(path, replacing);
    await upload.write(0, Buffer.from(content));
    await upload.finish();
  }

  /** As a session does. */
  rename(from: string, to: string): Promise<void> {
    return this.#intake.forSender(this.org, sender).rename(from, to, false);
  }

  /** As a session does. */
  remove(path: string): Promise<void> {
    return this.#intake.forSender(this.org, sender).remove(path);
  }

  /** With those above it, unless they exist. */
  async #makeFolder(path: string): Promise<void> {
    if (isFixed(path) || (await findEntry(this.deps.control.read, this.org.id, path)) !== null) return;
    await this.#makeFolder(splitPath(path).dir);
    await this.#space.mkdir(path, {});
  }

  /** Drops the files, each under its name, opens a run and works on it; its summary. */
  async import(files: Record<string, string | Buffer> = {}): Promise<RunSummary> {
    for (const [name, content] of Object.entries(files)) await this.drop(`/${name}`, content);
    const { control } = this.deps;
    const id = await openManualRun(control.write, this.org.id, this.clock);
    const errors: string[] = [];
    const logger = {
      ...this.deps.logger,
      info() {},
      warn() {},
      error: (...all: unknown[]) => errors.push(JSON.stringify(all)),
    };
    const result = await workNext({ ...this.deps, logger: logger as never }, id);
    if (result !== 'ended') throw new Error(`the run is ${result}: ${errors.join('\n')}`);
    return (await findRun(control.read, id))!.summary as RunSummary;
  }

  /** The text of a file of the organization's space. */
  async read(path: string): Promise<string> {
    const reader = await this.#space.openRead(path);
    const content = await reader.read(0, 16 * 1024 * 1024);
    await reader.close();
    return content.toString();
  }

  /** Users by email, with what tests look at; dates and the like as they are stored. */
  async users(): Promise<Record<string, Record<string, unknown>>> {
    const { directory } = this.deps;
    const rows = await directory
      .read('users as u')
      .leftJoin('users as m', 'm.id', 'u.manager_id')
      .where('u.org_id', this.org.id)
      .select('u.*', 'm.email as manager');
    const teams = await directory
      .read('memberships')
      .join('teams', 'teams.id', 'memberships.team_id')
      .select('user_id', 'name');
    const fields = await directory.read('fields').where({ org_id: this.org.id }).select('id', 'label');
    return Object.fromEntries(
      rows.map((row) => {
        const custom = typeof row.custom === 'string' ? JSON.parse(row.custom) : row.custom;
        const named = fields.flatMap(({ id, label }) => (custom[id] === undefined ? [] : [[label, custom[id]]]));
        const own = teams.filter((team) => team.user_id === row.id).map((team) => team.name);
        return [row.email, { ...row, teams: own.sort(), custom: Object.fromEntries(named) }];
      }),
    );
  }

  /** Turns a bit of a stored blob around. */
  async damage(blobId: string): Promise<void> {
    const path = blobPath(this.deps.paths, blobId);
    const bytes = await readFile(path);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(path, bytes);
  }

  async teams(): Promise<Record<string, { owner: string | null; parent: string | null; type: string | null }>> {
    const rows = await this.deps.directory
      .read('teams as t')
      .leftJoin('users as o', 'o.id', 't.owner_id')
      .leftJoin('teams as p', 'p.id', 't.parent_id')
      .where('t.org_id', this.org.id)
      .select('t.name', 't.type', 'o.email as owner', 'p.name as parent');
    return Object.fromEntries(rows.map(({ name, ...rest }) => [name, rest]));
  }

  /** `code@line` of the file's report, in its order; none where there is no report. */
  async codes(summary: RunSummary, file = 0): Promise<string[]> {
    const { report } = summary.files[file]!;
    if (report === null) return [];
    const text = await this.read(report);
    const separator = /line(.)column/.exec(text)![1]!;
    return text
      .trim()
      .split('\r\n')
      .slice(1)
      .map((line) => {
        const cells = line.split(separator);
        return `${cells[3]}@${cells[0]}`;
      });
  }
}

/** A CSV from a header and rows of cells. */
export function csv(header: string, ...rows: string[]): string {
  return [header, ...rows, ''].join('\n');
}
