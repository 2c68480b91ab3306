/**
 * The import rules once more, row by row over maps: slow, small and obvious. model.test.ts holds the importer to it.
 * Organizations of the model live at UTC+5:30, which has no summer time.
 */
import type { DateFormat } from '../../db/control/orgs.js';

export interface ModelFile {
  name: string;
  header: string[];
  /** The first stands on line 2; no cell has a line break. */
  rows: string[][];
}

export interface ModelUser {
  email: string;
  userName: string | null;
  firstName: string | null;
  lastName: string | null;
  manager: string | null;
  teams: Set<string>;
  accountType: 'Regular' | 'Observer';
  isAdmin: boolean;
  status: 'active' | 'deactivated';
  date: string | null;
  deactivateAt: number | null;
  custom: Map<string, string>;
}

export interface ModelTeam {
  name: string;
  owner: string | null;
  parent: string | null;
  type: string | null;
}

export interface ModelCounts {
  created: number;
  updated: number;
  unchanged: number;
  deactivated: number;
  scheduled: number;
  stubs: number;
  faults: number;
  warnings: number;
}

/** G1: what a run does to those who are there. */
export interface ModelWeight {
  deactivations: number;
  adminChanges: number;
  owners: number;
  /** U8a: users and teams that only a cell names. */
  madeUp: number;
}

export interface ModelOutcome {
  name: string;
  /** `code@line`, sorted. */
  codes: string[];
}

type Values = Record<string, string | null>;

interface UserRow {
  line: number;
  key: string;
  values: Values;
  teams: string[] | null;
  date: string | null;
  custom: Map<string, string>;
  /** U4a: labels of the cells with the clear token. */
  clears: string[];
}

/** Where a row names a user or a team. */
interface Cell {
  file: ModelFile;
  line: number;
}

interface Stub extends Cell {
  code: string;
  user?: ModelUser;
}

interface Edge {
  line: number;
  to: string;
}

const offsetMs = 5.5 * 3_600_000;
const dayMs = 86_400_000;
const noEnd = '9999-12-31';
/** U6a: there are people called Null. */
const names = ['User Name', 'First Name', 'Last Name', 'Manager'];
const standards = [
  ['User Email', 'User Name', 'First Name', 'Last Name', 'Manager', 'Manager Email', 'Teams'],
  ['User Account Type', 'Is Org Admin', 'Deactivation Date'],
].flat();

export class Model {
  readonly users = new Map<string, ModelUser>();
  readonly teams = new Map<string, ModelTeam>();
  readonly fields = new Map<string, { label: string; type: 'text' | 'boolean' | 'date' }>();
  /** Users and teams that the run at work has created because a row names them. */
  #stubs = new Map<string, Map<string, Stub>>();
  /** U15: who gave up an email, by it. */
  readonly former = new Map<string, ModelUser>();
  /** U8a, with `createMissing=no`: keys of users and teams that are not created, so that cells with them are ignored. */
  #unknown = { users: new Set<string>(), teams: new Set<string>() };
  #codes: string[] = [];
  #counts: { users: ModelCounts; teams: ModelCounts } = { users: noCounts(), teams: noCounts() };

  constructor(
    readonly owner: string,
    readonly replacesTeams: boolean,
    readonly dateFormat: DateFormat,
    /** U15: the label of the identifier column; null: there is none. */
    readonly identifier: string | null = null,
    readonly createMissing: 'yes' | 'no' | 'hold' = 'yes',
    readonly clearToken: string | null = null,
  ) {
    this.users.set(keyOf(owner), { ...newUser(owner), isAdmin: true });
  }

  /** As it is now, to try something on. */
  copy(): Model {
    const { users, teams, fields, former } = this;
    const twin = new Model(
      this.owner,
      this.replacesTeams,
      this.dateFormat,
      this.identifier,
      this.createMissing,
      this.clearToken,
    );
    twin.#unknown = structuredClone(this.#unknown);
    return Object.assign(twin, structuredClone({ users, teams, fields, former }));
  }

  /** Scheduled deactivations (U12). */
  passTime(now: number): void {
    for (const user of this.users.values()) {
      if (user.deactivateAt === null || user.deactivateAt > now) continue;
      user.status = 'deactivated';
      user.deactivateAt = null;
    }
  }

  /** G1: nothing is ever too much for a directory that has nobody but the owner. */
  weigh(files: readonly ModelFile[], now: number): ModelWeight {
    const after = this.copy();
    const known = new Map([...after.users.values()].map((user) => [user, { ...user }]));
    const owners = [after.users.get(keyOf(this.owner)), after.former.get(keyOf(this.owner))];
    after.import(files, now);
    const madeUp = after.#counts.users.stubs + after.#counts.teams.stubs;
    if (known.size < 2) return { deactivations: 0, adminChanges: 0, owners: 0, madeUp };
    const isSooner = (one: number | null, other: number | null) => one !== null && (other === null || one < other);
    const pairs = [...after.users.values()].map((user) => ({ user, was: known.get(user) }));
    const leavers = pairs.filter(
      ({ user, was }) =>
        was?.status === 'active' && (user.status === 'deactivated' || isSooner(user.deactivateAt, was.deactivateAt)),
    );
    const returned = pairs.filter(({ user, was }) => was?.status === 'deactivated' && user.status === 'active');
    return {
      deactivations: leavers.length,
      adminChanges: pairs.filter(
        (pair) =>
          pair.user.isAdmin !== (pair.was?.isAdmin ?? false) ||
          (pair.user.isAdmin && (leavers.includes(pair) || returned.includes(pair))),
      ).length,
      owners: leavers.filter(({ user }) => owners.includes(user)).length,
      madeUp,
    };
  }

  /**
   * One run (F10).
   * @param planned when what is approved was counted; dates are read as on that day (G1).
   */
  import(files: readonly ModelFile[], now: number, planned = now) {
    this.#unknown = { users: new Set(), teams: new Set() };
    // Without one that was made up, others may be: until no cell makes up anyone.
    for (let isDone = this.createMissing !== 'no'; !isDone; ) {
      const trial = this.copy();
      trial.#importFiles(files, now, planned);
      isDone = true;
      for (const kind of ['users', 'teams'] as const)
        for (const key of trial.#stubs.get(kind)!.keys()) {
          this.#unknown[kind].add(key);
          isDone = false;
        }
    }
    return this.#importFiles(files, now, planned);
  }

  #importFiles(files: readonly ModelFile[], now: number, planned: number) {
    this.#counts = { users: noCounts(), teams: noCounts() };
    this.#stubs = new Map([
      ['users', new Map()],
      ['teams', new Map()],
    ]);
    const isTeams = (file: ModelFile) => file.header.includes('Team Name');
    const ordered = [...files.filter(isTeams), ...files.filter((file) => !isTeams(file))];
    const outcomes = ordered.map((file): ModelOutcome => {
      this.#codes = [];
      if (isTeams(file)) this.#importTeams(file);
      else this.#importUsers(file, now, new Date(planned + offsetMs).toISOString().slice(0, 10));
      return { name: file.name, codes: this.#codes.sort() };
    });
    // U8a: once no later file has described them.
    for (const stub of this.#stubs.values())
      for (const { code, line, file } of stub.values()) outcomes[ordered.indexOf(file)]!.codes.push(`${code}@${line}`);
    for (const { codes } of outcomes) codes.sort();
    this.#counts.users.stubs = this.#stubs.get('users')!.size;
    this.#counts.teams.stubs = this.#stubs.get('teams')!.size;
    return { ...this.#counts, outcomes };
  }

  #importUsers(file: ModelFile, now: number, today: string): void {
    const count = this.#counts.users;
    const read = this.#readUsers(file, count);
    const { rows, renamed } = this.#identify(file, read, this.#dropTwins(count, 'email_twice', read), count);

    for (const row of rows) {
      const manager = row.values['Manager Email'];
      if (manager && this.#unknown.users.has(keyOf(manager))) {
        row.values['Manager Email'] = null;
        this.#warn(count, 'manager_unknown', row.line);
      }
      if (row.teams?.some((name) => this.#unknown.teams.has(nameKeyOf(name)))) {
        row.teams = null;
        this.#warn(count, 'teams_unknown', row.line);
      }
    }

    // U3, U8: who a stub of this run is described is created by the row, under the name the stub had.
    const created = new Set<UserRow>();
    for (const row of rows) {
      const stub = this.#stubs.get('users')!.get(row.key);
      if (stub === undefined && this.users.has(row.key)) continue;
      this.#stubs.get('users')!.delete(row.key);
      created.add(row);
      this.users.set(row.key, { ...newUser(row.values['User Email']!), userName: stub?.user?.userName ?? null });
    }
    for (const { line, values } of rows)
      this.#nameUser({ file, line }, values['Manager Email'] ?? null, values.Manager ?? null);

    const before = new Map(rows.map(({ key }) => [key, freeze(this.users.get(key)!)]));
    const wasOut = new Map(rows.map(({ key }) => [key, this.users.get(key)!.status === 'deactivated']));
    for (const row of rows) if (!created.has(row)) clearUser(this.users.get(row.key)!, row.clears);

    const wishes = new Map(
      rows.flatMap(({ key, line, values }): [string, Edge][] =>
        values['Manager Email'] ? [[key, { line, to: keyOf(values['Manager Email']) }]] : [],
      ),
    );
    for (const line of breakRings(this.users, 'manager', wishes)) this.#warn(count, 'manager_ring', line);
    this.#keepLastAdmin(rows, created, today, now);

    for (const row of rows) {
      const user = this.users.get(row.key)!;
      const isNewDate = applyRow(user, row, created.has(row), today, now);
      user.manager = wishes.get(row.key)?.to ?? user.manager;
      if (row.teams !== null) this.#joinTeams(user, row.teams, { file, line: row.line });
      if (created.has(row)) count.created++;
      else if (freeze(user) !== before.get(row.key) || renamed.has(row)) count.updated++;
      else count.unchanged++;
      if (user.status === 'deactivated' && (created.has(row) || !wasOut.get(row.key)) && isNewDate) count.deactivated++;
      if (user.deactivateAt !== null && isNewDate) count.scheduled++;
      this.#warnOfBlankDate(file, row, created.has(row), user, count);
    }
  }

  /** U12a. */
  #warnOfBlankDate(file: ModelFile, row: UserRow, isCreated: boolean, user: ModelUser, count: ModelCounts): void {
    const at = file.header.indexOf('Deactivation Date');
    const cell = (file.rows[row.line - 2]![at] ?? '').trim();
    if (at < 0 || isCreated || !(cell === '' || isNull(cell) || yearOf(cell) < 1970)) return;
    if (user.deactivateAt !== null) this.#warn(count, 'date_blank_scheduled', row.line);
    else if (user.status === 'deactivated') this.#warn(count, 'date_blank_deactivated', row.line);
  }

  /** U15: rows that contradict are faulty; the others find their users, who get the emails of their rows. */
  #identify(file: ModelFile, read: UserRow[], whole: UserRow[], count: ModelCounts) {
    const renamed = new Set<UserRow>();
    const label = this.identifier;
    if (label === null) return { rows: whole, renamed };
    // Without the column no row has an identifier, and emails tell: of whoever has one, or had it last.
    if (!file.header.includes(label) || !this.fields.has(labelKeyOf(label))) this.#warn(count, 'identifier_absent', 1);
    const stubs = this.#stubs.get('users')!;
    const idOf = (row: UserRow) => row.custom.get(label);
    const mine = (row: UserRow) =>
      idOf(row) === undefined
        ? undefined
        : [...this.users.keys()].find((key) => this.users.get(key)!.custom.get(label) === idOf(row));
    const holder = (row: UserRow) => (this.users.has(row.key) ? row.key : undefined);
    const hasOther = (row: UserRow) =>
      mine(row) === undefined && idOf(row) !== undefined && this.users.get(row.key)?.custom.has(label) === true;
    const isFree = (row: UserRow) =>
      stubs.has(row.key) &&
      ([...this.users.values()].every(({ manager }) => manager !== row.key) ||
        this.users.get(mine(row)!)!.manager === null);
    const needs = (row: UserRow) =>
      (mine(row) !== undefined && mine(row) !== row.key && holder(row) !== undefined && !isFree(row)) || hasOther(row);
    const moves = (row: UserRow) => mine(row) !== undefined && mine(row) !== row.key;
    const reject = (row: UserRow, code: string) => this.#fault(count, code, row.line);

    let rows = whole.filter((row) => {
      const isTwice = read.some(
        (other) => idOf(row) !== undefined && idOf(other) === idOf(row) && other.key !== row.key,
      );
      if (isTwice) reject(row, 'identifier_twice');
      return !isTwice;
    });
    for (let before = -1; before !== rows.length; ) {
      before = rows.length;
      const bad = rows.filter((row) => needs(row) && !rows.some((other) => moves(other) && mine(other) === row.key));
      for (const row of bad) reject(row, 'identifier_conflict');
      rows = rows.filter((row) => !bad.includes(row));
    }
    const isGivenUp = (key: string) => rows.some((other) => moves(other) && mine(other) === key);
    rows = rows.filter((row) => {
      const isNeeded =
        idOf(row) === undefined && (isGivenUp(row.key) || (holder(row) === undefined && this.former.has(row.key)));
      if (isNeeded) reject(row, 'identifier_needed');
      return !isNeeded;
    });

    const moving = rows.filter(moves).map((row) => ({ row, from: mine(row)!, user: this.users.get(mine(row)!)! }));
    const now = new Map(moving.map(({ row, from }) => [from, row.key]));
    for (const { from } of moving) this.users.delete(from);
    for (const { row, from, user } of moving) {
      stubs.delete(row.key);
      user.email = row.values['User Email']!;
      this.users.set(row.key, user);
      this.former.set(from, user);
      renamed.add(row);
    }
    const follow = (key: string | null) => (key === null ? null : (now.get(key) ?? key));
    for (const user of this.users.values()) user.manager = follow(user.manager);
    for (const team of this.teams.values()) team.owner = follow(team.owner);
    for (const { values } of rows) {
      const named = values['Manager Email'] ?? null;
      if (named !== null && !rows.some((row) => row.key === keyOf(named)))
        values['Manager Email'] = this.#follow(named);
    }
    return { rows, renamed };
  }

  /** U15: the email of whoever has this one, else of who had it last; as it is where nobody had it. */
  #follow(email: string): string {
    return this.users.has(keyOf(email)) ? email : (this.former.get(keyOf(email))?.email ?? email);
  }

  /** U10: the last row that would leave nobody an admin for good loses what does. */
  #keepLastAdmin(rows: UserRow[], created: ReadonlySet<UserRow>, today: string, now: number): void {
    const after = new Map([...this.users].map(([key, user]) => [key, { ...user, custom: new Map(user.custom) }]));
    for (const row of rows) applyRow(after.get(row.key)!, row, created.has(row), today, now);
    if ([...after.values()].some(isLasting)) return;
    const last = rows.filter((row) => !created.has(row) && isLasting(this.users.get(row.key)!)).at(-1);
    if (last === undefined) return;
    if (last.values['Is Org Admin'] === 'No') this.#warn(this.#counts.users, 'last_admin', last.line);
    last.values['Is Org Admin'] = null;
    if (last.date === noEnd) return;
    if (last.date !== null) this.#warn(this.#counts.users, 'last_admin', last.line);
    last.date = null;
  }

  #joinTeams(user: ModelUser, names: string[], at: Cell): void {
    if (this.replacesTeams) user.teams.clear();
    for (const name of names) {
      this.#nameTeam(at, name);
      user.teams.add(nameKeyOf(name));
    }
  }

  #importTeams(file: ModelFile): void {
    const count = this.#counts.teams;
    const rows = this.#dropTwins(count, 'team_twice', this.#readTeams(file, count));
    for (const { values } of rows)
      if (values['Owner Email']) values['Owner Email'] = this.#follow(values['Owner Email']);
    for (const { line, values } of rows) {
      if (values['Owner Email'] && this.#unknown.users.has(keyOf(values['Owner Email']))) {
        values['Owner Email'] = null;
        this.#warn(count, 'owner_unknown', line);
      }
      if (values['Parent Team'] && this.#unknown.teams.has(nameKeyOf(values['Parent Team']))) {
        values['Parent Team'] = null;
        this.#warn(count, 'parent_unknown', line);
      }
    }
    const created = new Set<string>();
    for (const { key, values } of rows) {
      const isStub = this.#stubs.get('teams')!.delete(key);
      if (!isStub && this.teams.has(key)) continue;
      created.add(key);
      this.teams.set(key, {
        name: values['Team Name']!,
        owner: keyOf(this.#follow(this.owner)),
        parent: null,
        type: null,
      });
    }
    const before = new Map(rows.map(({ key }) => [key, JSON.stringify(this.teams.get(key))]));
    for (const { key, clears } of rows) {
      const team = this.teams.get(key)!;
      if (created.has(key)) continue;
      if (clears.includes('Owner Email')) team.owner = null;
      if (clears.includes('Parent Team')) team.parent = null;
      if (clears.includes('Team Type')) team.type = null;
    }
    for (const { line, values } of rows) {
      if (values['Parent Team']) this.#nameTeam({ file, line }, values['Parent Team']);
      this.#nameUser({ file, line }, values['Owner Email'] ?? null, null);
    }
    const wishes = new Map(
      rows.flatMap(({ key, line, values }): [string, Edge][] =>
        values['Parent Team'] ? [[key, { line, to: nameKeyOf(values['Parent Team']) }]] : [],
      ),
    );
    for (const line of breakRings(this.teams, 'parent', wishes)) this.#warn(count, 'parent_ring', line);
    for (const { key, values } of rows) {
      const team = this.teams.get(key)!;
      team.owner = values['Owner Email'] ? keyOf(values['Owner Email']) : team.owner;
      team.parent = wishes.get(key)?.to ?? team.parent;
      team.type = values['Team Type'] ?? team.type;
      if (created.has(key)) count.created++;
      else if (JSON.stringify(team) !== before.get(key)) count.updated++;
      else count.unchanged++;
    }
  }

  #nameUser(at: Cell, email: string | null, name: string | null): void {
    if (email === null || this.users.has(keyOf(email))) return;
    const stub = { ...newUser(email), userName: name };
    this.users.set(keyOf(email), stub);
    this.#stubs.get('users')!.set(keyOf(email), { ...at, code: 'user_made_up', user: stub });
  }

  #nameTeam(at: Cell, name: string): void {
    const key = nameKeyOf(name);
    if (this.teams.has(key)) return;
    this.teams.set(key, { name: collapse(name), owner: keyOf(this.#follow(this.owner)), parent: null, type: null });
    this.#stubs.get('teams')!.set(key, { ...at, code: 'team_made_up' });
  }

  #readUsers(file: ModelFile, count: ModelCounts): UserRow[] {
    const at = (label: string) => file.header.indexOf(label);
    const isValid = (row: string[]) => isEmail(row[at('User Email')]!.trim());
    // A row that is rejected decides nothing: neither the order of dates nor a field's type.
    const cellsOf = (label: string) =>
      file.rows.flatMap((row, index) =>
        isValid(row)
          ? [{ line: index + 2, value: this.#isClear(row[at(label)]) ? '' : (row[at(label)] ?? '').trim() }]
          : [],
      );
    // U6a, U12a: blank cells decide nothing either.
    const valuesOf = (label: string) =>
      cellsOf(label)
        .map(({ value }) => value)
        .filter((value) => !isNull(value) && !(label === 'Deactivation Date' && yearOf(value) < 1970));
    const custom = file.header.filter((label) => !standards.includes(label));
    for (const label of custom)
      this.#createField(
        label,
        cellsOf(label).filter(({ value }) => value !== '' && !isNull(value)),
        count,
      );
    const hasManagers = file.header.includes('Manager Email');
    if (file.header.includes('Manager') && !hasManagers) this.#warn(count, 'manager_alone', 1);
    // U10: once a column.
    let isInexactTold = false;
    const note = this.#notesOnce();
    return file.rows.flatMap((cells, index): UserRow[] => {
      const line = index + 2;
      const cell = (label: string) => {
        const value = this.#isClear(cells[at(label)]) ? '' : collapse(cells[at(label)] ?? '');
        const isBlank = !names.includes(label) && isNull(value);
        if (isBlank) note('null_value', label, line);
        return isBlank ? null : value || null;
      };
      const email = cell('User Email');
      if (email === null || !isEmail(email)) {
        this.#fault(count, email === null ? 'email_missing' : 'email_invalid', line);
        return [];
      }
      const row: UserRow = {
        line,
        key: keyOf(email),
        values: Object.fromEntries(standards.map((label) => [label, cell(label)])),
        teams: null,
        date: null,
        custom: new Map(),
        clears: file.header.filter((label) => this.#isClear(cells[at(label)])),
      };
      const { values } = row;
      for (const label of row.clears)
        if (['User Account Type', 'Is Org Admin', this.identifier].includes(label))
          this.#warn(count, 'clear_refused', line);
      row.clears = row.clears.filter((label) => label !== this.identifier);
      const ignore = (label: string, code: string) => {
        values[label] = null;
        this.#warn(count, code, line);
      };
      const manager = values['Manager Email'];
      if (manager && !isEmail(manager)) ignore('Manager Email', 'manager_invalid');
      else if (manager && keyOf(manager) === row.key) ignore('Manager Email', 'manager_self');
      const isNew = !isWhole(email) && !this.users.has(row.key) && !this.former.has(row.key);
      if (isNew) this.#fault(count, 'email_invalid', line);
      else if (values['Manager Email'] && !this.#isKnownOrWhole(values['Manager Email']))
        ignore('Manager Email', 'manager_invalid');
      if (!values['Manager Email']) values.Manager = null;
      const oneOf = (label: string, choices: string[], code: string) => {
        const given = values[label];
        if (!given) return;
        values[label] = choices.find((choice) => choice.toLowerCase() === given.toLowerCase()) ?? null;
        if (values[label] === null) ignore(label, code);
      };
      oneOf('User Account Type', ['Regular', 'Observer'], 'account_type_invalid');
      const answer = values['Is Org Admin'];
      if (answer && !isInexactTold && asAnswer(answer) !== null && !/^(yes|no)$/i.test(answer)) {
        isInexactTold = true;
        this.#warn(count, 'admin_inexact', line);
      }
      if (answer) values['Is Org Admin'] = asAnswer(answer) ?? answer;
      oneOf('Is Org Admin', ['Yes', 'No'], 'admin_invalid');
      if (values.Teams) {
        const names = [...new Map(values.Teams.split(',').map((name) => [nameKeyOf(name), collapse(name)])).values()];
        row.teams = names.filter(Boolean).length > 0 ? firstOfEach(values.Teams.split(',').map(collapse)) : null;
      }
      const date = values['Deactivation Date'];
      if (date && yearOf(date) < 1970) note('null_value', 'Deactivation Date', line);
      else if (date && yearOf(date) >= 2200) {
        note('date_no_end', 'Deactivation Date', line);
        row.date = noEnd;
      } else if (date) {
        const read = readIn(date, orderOf(this.dateFormat, valuesOf('Deactivation Date')));
        if (read.startsWith('date_')) ignore('Deactivation Date', read);
        else row.date = read;
      }
      for (const label of custom) {
        const value = this.#isClear(cells[at(label)]) ? '' : (cells[at(label)] ?? '').trim();
        const field = this.fields.get(labelKeyOf(label));
        if (isNull(value) && field?.type !== 'text') note('null_value', label, line);
        if (value === '' || field === undefined || (isNull(value) && field.type !== 'text')) continue;
        const order = orderOf(this.dateFormat, valuesOf(label));
        const fitted =
          field.type === 'boolean' ? asAnswer(value) : field.type === 'date' ? readIn(value, order) : value;
        if (field.type === 'text') row.custom.set(field.label, value);
        else if (['date_ambiguous', 'date_contradictory', 'date_serial'].includes(fitted ?? ''))
          this.#warn(count, fitted!, line);
        else if (fitted === null || fitted === 'date_invalid') this.#warn(count, 'field_mismatch', line);
        else row.custom.set(field.label, fitted);
      }
      return isNew ? [] : [row];
    });
  }

  /** U4a. */
  #isClear(cell = ''): boolean {
    return this.clearToken !== null && cell.trim().toLowerCase() === this.clearToken.toLowerCase();
  }

  /** Adds a notice for each column, on the first line that has it. */
  #notesOnce() {
    const noted = new Set<string>();
    return (code: string, label: string, line: number) => {
      if (noted.has(code + label)) return;
      noted.add(code + label);
      this.#codes.push(`${code}@${line}`);
    };
  }

  /** U1: nobody is made up by an address without a dot after the @, or with an apostrophe before it. */
  #isKnownOrWhole(email: string): boolean {
    return isWhole(email) || this.users.has(keyOf(email)) || this.former.has(keyOf(email));
  }

  /** C1, C4. */
  #createField(label: string, cells: { line: number; value: string }[], count: ModelCounts): void {
    const values = cells.map(({ value }) => value);
    if (values.length === 0 || this.fields.has(labelKeyOf(label))) return;
    const order = orderOf(this.dateFormat, values);
    let type: 'text' | 'boolean' | 'date' = 'text';
    if (values.every((value) => asBoolean(value) !== null)) type = 'boolean';
    else if (values.every((value) => isPlain(value) && !readIn(value, order).startsWith('date_'))) type = 'date';
    const areDates = values.every(
      (value) => isPlain(value) && (readIn(value, 'mdy') !== 'date_invalid' || readIn(value, 'dmy') !== 'date_invalid'),
    );
    if (type === 'text' && areDates && order === 'ambiguous') this.#warn(count, 'field_ambiguous', 1);
    const isDate = (value: string) =>
      isPlain(value) && (readIn(value, 'mdy') !== 'date_invalid' || readIn(value, 'dmy') !== 'date_invalid');
    const isBoolean = (value: string) => asBoolean(value) !== null;
    const others = [isDate, isBoolean]
      .map((fits) => cells.filter(({ value }) => !fits(value)))
      .find((misfits) => misfits.length > 0 && misfits.length * 2 < cells.length);
    if (type === 'text' && others !== undefined) this.#warn(count, 'field_text', others[0]!.line);
    this.fields.set(labelKeyOf(label), { label, type });
  }

  #readTeams(file: ModelFile, count: ModelCounts) {
    const note = this.#notesOnce();
    return file.rows.flatMap((sent, index): { line: number; key: string; values: Values; clears: string[] }[] => {
      const line = index + 2;
      const clears = file.header.filter((_, place) => this.#isClear(sent[place]));
      const cells = sent.map((cell) => (this.#isClear(cell) ? '' : cell));
      const name = collapse(cells[file.header.indexOf('Team Name')]!);
      const values: Values = Object.fromEntries(
        file.header.map((label, place) => {
          const value = collapse(cells[place]!);
          // A row without a name is not read any further.
          const isRead = label === 'Team Name' || (name !== '' && !isNull(name));
          if (isNull(value) && isRead) note('null_value', label, line);
          return [label, isNull(value) ? null : value || null];
        }),
      );
      if (!values['Team Name']) {
        this.#fault(count, 'team_missing', line);
        return [];
      }
      const owner = values['Owner Email'];
      if (owner && !(isEmail(owner) && this.#isKnownOrWhole(owner))) {
        values['Owner Email'] = null;
        this.#warn(count, 'owner_invalid', line);
      }
      if (values['Parent Team'] && nameKeyOf(values['Parent Team']) === nameKeyOf(name)) {
        values['Parent Team'] = null;
        this.#warn(count, 'parent_self', line);
      }
      return [{ line, key: nameKeyOf(name), values, clears }];
    });
  }

  /** U2, T1: of rows that say the same the first counts; where they differ, none. */
  #dropTwins<T extends { line: number; key: string; values: Values }>(
    count: ModelCounts,
    code: string,
    rows: T[],
  ): T[] {
    return rows.filter((row) => {
      const alike = rows.filter(({ key }) => key === row.key);
      if (new Set(alike.map(describe)).size === 1) return alike[0] === row;
      this.#fault(count, code, row.line);
      return false;
    });
  }

  #fault(count: ModelCounts, code: string, line: number): void {
    count.faults++;
    this.#codes.push(`${code}@${line}`);
  }

  #warn(count: ModelCounts, code: string, line: number): void {
    count.warnings++;
    this.#codes.push(`${code}@${line}`);
  }
}

/** U4a: what cells with the clear token empty. */
function clearUser(user: ModelUser, labels: readonly string[]): void {
  for (const label of labels) {
    user.custom.delete(label);
    if (label === 'User Name') user.userName = null;
    else if (label === 'First Name') user.firstName = null;
    else if (label === 'Last Name') user.lastName = null;
    else if (label === 'Manager Email') user.manager = null;
    else if (label === 'Teams') user.teams.clear();
    else if (label === 'Deactivation Date' && user.date !== null)
      Object.assign(user, { date: null, deactivateAt: null, status: 'active' });
  }
}

/** The values of a row (U4, U5, U10–U12), less manager and teams; whether it brings a date that is new. */
function applyRow(user: ModelUser, row: UserRow, isCreated: boolean, today: string, now: number): boolean {
  const { values, date } = row;
  user.userName = values['User Name'] ?? user.userName;
  user.firstName = values['First Name'] ?? user.firstName;
  user.lastName = values['Last Name'] ?? user.lastName;
  if (values['User Account Type']) user.accountType = values['User Account Type'] as ModelUser['accountType'];
  user.isAdmin = values['Is Org Admin'] ? values['Is Org Admin'] === 'Yes' : user.isAdmin;
  for (const [label, value] of row.custom) user.custom.set(label, value);
  if (date === null || date === user.date) return false;
  const before = { date: user.date, at: user.deactivateAt };
  user.date = date;
  user.deactivateAt = null;
  if (date > today) {
    user.status = 'active';
    if (date !== noEnd) user.deactivateAt = Date.parse(`${date}T00:00:00Z`) - offsetMs;
  } else if (date === today || isCreated) user.status = 'deactivated';
  // U12a: seen in the past before.
  else if (before.at !== null && before.date! < today) user.deactivateAt = before.at;
  else if (user.status === 'active') user.deactivateAt = now + dayMs;
  return true;
}

/** U9, T3: from each ring the wish with the highest line is dropped, until there are none; the lines dropped. */
function breakRings<K extends string>(
  nodes: ReadonlyMap<string, { [key in K]: string | null }>,
  above: K,
  wishes: Map<string, Edge>,
): number[] {
  const dropped: number[] = [];
  // What is wished and so already closes no ring by being wished.
  const isChange = (key: string) => wishes.has(key) && wishes.get(key)!.to !== nodes.get(key)![above];
  const next = (key: string) => wishes.get(key)?.to ?? nodes.get(key)?.[above] ?? null;
  const starts = [...nodes.keys()];
  // What a dropped wish gives way to may close a ring of those who were looked at before.
  for (let at = 0; at < starts.length; at++) {
    const ring = [starts[at]!];
    let key = next(starts[at]!);
    while (key !== null && key !== starts[at] && ring.length <= nodes.size) {
      ring.push(key);
      key = next(key);
    }
    if (key !== starts[at]) continue;
    const lines = ring.filter(isChange).map((member) => wishes.get(member)!.line);
    const last = Math.max(...lines);
    dropped.push(last);
    for (const [member, { line }] of wishes) if (line === last) wishes.delete(member);
    at = -1;
  }
  return dropped;
}

function newUser(email: string): ModelUser {
  const none = { userName: null, firstName: null, lastName: null, manager: null, date: null, deactivateAt: null };
  const defaults = { accountType: 'Regular', isAdmin: false, status: 'active' } as const;
  return { email, ...none, ...defaults, teams: new Set(), custom: new Map() };
}

function isLasting({ isAdmin, status, deactivateAt }: ModelUser): boolean {
  return isAdmin && status === 'active' && deactivateAt === null;
}

export function noCounts(): ModelCounts {
  return { created: 0, updated: 0, unchanged: 0, deactivated: 0, scheduled: 0, stubs: 0, faults: 0, warnings: 0 };
}

function freeze(user: ModelUser): string {
  return JSON.stringify({ ...user, teams: [...user.teams].sort(), custom: [...user.custom].sort() });
}

function describe(row: {
  values: Values;
  teams?: string[] | null;
  date?: string | null;
  custom?: Map<string, string>;
  clears?: string[];
}) {
  const { 'User Email': email, 'Team Name': name, 'Deactivation Date': written, Teams: cell, ...values } = row.values;
  for (const label of ['Manager Email', 'Owner Email']) if (values[label]) values[label] = keyOf(values[label]);
  if (values['Parent Team']) values['Parent Team'] = nameKeyOf(values['Parent Team']);
  return JSON.stringify([values, row.teams, row.date, [...(row.custom ?? [])], row.clears]);
}

function firstOfEach(names: string[]): string[] {
  return names.filter(
    (name, place) => name !== '' && place === names.findIndex((one) => nameKeyOf(one) === nameKeyOf(name)),
  );
}

function asBoolean(value: string): string | null {
  if (/^(yes|true)$/i.test(value)) return 'Yes';
  return /^(no|false)$/i.test(value) ? 'No' : null;
}

/** U10: what a Yes or No may be written as. */
function asAnswer(value: string): string | null {
  if (/^[y1]$/i.test(value)) return 'Yes';
  return /^[n0]$/i.test(value) ? 'No' : asBoolean(value);
}

type Order = 'mdy' | 'dmy' | 'ambiguous' | 'contradictory';

/** U14: what a column's values say of their order. */
function orderOf(format: DateFormat, values: string[]): Order {
  if (format !== 'auto') return format;
  const only = (order: Order, other: Order) =>
    values.some((value) => readIn(value, order) !== 'date_invalid' && readIn(value, other) === 'date_invalid');
  if (only('mdy', 'dmy')) return only('dmy', 'mdy') ? 'contradictory' : 'mdy';
  return only('dmy', 'mdy') ? 'dmy' : 'ambiguous';
}

/** C1: neither a number nor a time of day, which a date would lose. */
function isPlain(text: string): boolean {
  return !/^\d+$/.test(text) && !/[1-9]\d?:\d\d/.test(text);
}

/** yyyy-mm-dd, or the code of what is wrong. */
function readIn(text: string, order: Order): string {
  if (order === 'ambiguous' || order === 'contradictory') {
    const [mdy, dmy] = [readIn(text, 'mdy'), readIn(text, 'dmy')];
    if (mdy === dmy) return mdy;
    return `date_${order}`;
  }
  if (/^[1-9]\d{4}$/.test(text)) return 'date_serial';
  const plain = text
    .replace(/[T ]\d\d:\d\d.*$/, '')
    .replace(/^(\d\d)\.(\d\d)\.(\d{4})$/, '$3-$2-$1')
    .replace(/^(\d\d)-Mar-(\d{4})$/, '$2-03-$1')
    .replace(/^(\d{4})(\d\d)(\d\d)$/, '$1-$2-$3');
  const slashed = /^(\d\d?)\/(\d\d?)\/(\d{4})$/.exec(plain);
  const iso = /^(\d{4})-(\d\d?)-(\d\d?)$/.exec(plain);
  if (slashed === null && iso === null) return 'date_invalid';
  const [year, month, day] = iso
    ? [iso[1], iso[2], iso[3]]
    : order === 'mdy'
      ? [slashed![3], slashed![1], slashed![2]]
      : [slashed![3], slashed![2], slashed![1]];
  const date = `${year}-${month!.padStart(2, '0')}-${day!.padStart(2, '0')}`;
  const moment = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(moment.getTime()) && moment.toISOString().startsWith(date) ? date : 'date_invalid';
}

function isEmail(text: string): boolean {
  return /^[^\s@,]+@[a-z.]+$/i.test(text);
}

function isWhole(email: string): boolean {
  return /@.*\./.test(email) && !email.startsWith("'");
}

/** U6a. */
function isNull(text: string): boolean {
  return /^(n\/a|none|-|00\/00\/0000)$/i.test(text);
}

/** U12a: of a date that the calendar has; else of none that matters. */
function yearOf(text: string): number {
  const date = [readIn(text, 'mdy'), readIn(text, 'dmy')].find((read) => /^\d/.test(read));
  return date === undefined ? 2000 : Number(date.slice(0, 4));
}

export function keyOf(email: string): string {
  return email.toLowerCase();
}

export function nameKeyOf(name: string): string {
  return collapse(name).toLowerCase();
}

function labelKeyOf(label: string): string {
  return label.replace(/\s/g, '').toLowerCase();
}

function collapse(text: string): string {
  return text.trim().replace(/\s+/g, ' ');
}
