/** Reads the parts of the directory that a plan starts from: custom fields, old team names, and rows known from earlier files. */
import { readVersion as readProgramVersion } from '../../config/environment.js';
import type { Settings } from '../../config/settings.js';
import type { Queryable } from '../../db/connection.js';
import type { Org } from '../../db/control/orgs.js';
import { listErased } from '../../db/directory/erasedpeople.js';
import { listFields } from '../../db/directory/fields.js';
import { readKnownRows } from '../../db/directory/knownrows.js';
import { listTeamAliases } from '../../db/directory/teamaliases.js';
import { DatabaseError } from '../../db/error.js';
import type { PlanInput } from '../plan/input.js';
import { ErasedPeople } from '../read/erased.js';
import { digestOf, hexOf, KnownRows } from '../read/knownrowfilter.js';
import type { Application } from './apply.js';

type Known = Pick<PlanInput, 'hooksDigest' | 'fields' | 'teamAliases' | 'known' | 'erased'>;

/**
 * `version`: the directory's version that these parts belong to.
 * @throws DatabaseError `conflict` where `org` is older than its first erasure: read it again.
 */
export async function readKnown(
  db: Queryable,
  org: Org,
  settings: Settings,
  hooksDigest: string | undefined,
): Promise<Known & { version: number }> {
  const { version, has } = await findParts(db, org.id);
  const aliases = has.team_aliases ? await listTeamAliases(db, org.id) : [];
  const fields = has.fields ? await listFields(db, org.id) : [];
  const teamAliases = new Map(aliases.map(({ key, teamKey, teamName }) => [key, { key: teamKey, name: teamName }]));
  const stored = has.known_files ? await readKnownRows(db, org.id, version) : null;
  const erased = has.erased_people ? await listErased(db, org.id) : [];
  const key = org.erasureKey ?? null;
  if (erased.length > 0 && key === null)
    throw new DatabaseError('conflict', `${org.id} erased its first user while its run was planned`);
  const isSame = stored?.rules === digestRules({ org, settings, fields, teamAliases, hooksDigest });
  return {
    version,
    fields,
    teamAliases,
    hooksDigest,
    erased: key === null || erased.length === 0 ? undefined : new ErasedPeople(org.id, key, erased),
    known: isSame ? new KnownRows(stored.form, stored.pieces) : new KnownRows(null, []),
  };
}

const parts = ['team_aliases', 'fields', 'known_files', 'erased_people'] as const;

/** The organization's version, and which of these tables have rows of it: most have none, and one statement says so of all. */
async function findParts(
  db: Queryable,
  org: string,
): Promise<{ version: number; has: Record<(typeof parts)[number], boolean> }> {
  const has = parts.map((table) => db.raw(`EXISTS (SELECT 1 FROM ${table} WHERE org_id = ?) AS ${table}`, [org]));
  const version = db.raw('(SELECT version FROM org_versions WHERE org_id = ?) AS version', [org]);
  const row = await db.first<Record<string, unknown>>([version, ...has]);
  const found = Object.fromEntries(parts.map((table) => [table, Boolean(row![table])]));
  return { version: Number(row!.version ?? 0), has: found as Record<(typeof parts)[number], boolean> };
}

/** The known rows once the plan is applied. */
export function keepKnown(input: PlanInput): Application['known'] {
  if (input.known.form === null) return null;
  if (!input.known.isChanged) return 'kept';
  return { form: input.known.form, rules: digestRules(input), pieces: input.known.pieces() };
}

/** A digest of everything that decides how a row is read and judged, besides its file and the directory's version. */
function digestRules({
  org,
  settings,
  fields,
  teamAliases,
  hooksDigest,
}: Pick<PlanInput, 'hooksDigest' | 'org' | 'settings' | 'fields' | 'teamAliases'>): string {
  const rules = [
    readProgramVersion(),
    [settings.maxCellBytes, settings.maxColumns],
    [org.dateFormat, org.teamsMode, org.options.aliases, org.options.identifier, org.options.managerIdentifier],
    [org.options.nullWords, org.options.requireDottedDomain, org.options.statusWords],
    [org.options.createMissing, org.options.fieldOwners, org.options.clearToken, org.options.omission],
    fields.map(({ id, label, type, aliases }) => [id, label, type, aliases]),
    [...teamAliases].sort(([a], [b]) => (a < b ? -1 : 1)),
    ...(hooksDigest === undefined ? [] : [hooksDigest]),
  ];
  return hexOf(digestOf(JSON.stringify(rules)));
}
