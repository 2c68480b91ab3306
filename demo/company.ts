/** A believable company of about 200 people, the same one every time, as the two files that its HR system exports. */
import { stringify } from 'csv-stringify/sync';
import { DateTime } from 'luxon';
import { asDate, type Mistake, spoilTeams, spoilUsers } from './mistakes.js';
import { departments, firstNames, lastNames, locations } from './names.js';

export interface Company {
  usersCsv: string;
  teamsCsv: string;
  /** Put into the files on purpose. */
  mistakes: Mistake[];
  /** Rows of users.csv. */
  people: number;
}

interface Person {
  email: string;
  first: string;
  last: string;
  manager: Person | null;
  teams: string[];
  job: string;
  department: string;
}

interface Team {
  name: string;
  owner: Person;
  parent: string;
  type: string;
}

const labels = [
  'User Email,First Name,Last Name,Manager,Manager Email,Teams,User Account Type,Is Org Admin,Deactivation Date',
  'Employee ID,Job Title,Department,Location,Start Date,Remote',
].flatMap((part) => part.split(','));

const teamLabels = ['Team Name', 'Owner Email', 'Parent Team', 'Team Type', 'Cost Center'];

/** The owner of the organization: the head of People, who is in the file as well. */
export const ownerEmail = 'jane@acme.test';

/** @param today decides the dates of the leavers; everything else follows from the seed. */
export function createCompany(today: DateTime, seed = 200): Company {
  const random = createRandom(seed);
  const { people, teams } = hire(random);
  const rows = people.map((person, index) => toRow(person, index, random));
  const teamRows = teams.map((team) => [team.name, team.owner.email, team.parent, team.type, costCenter(team.name)]);
  const mistakes = [...spoilUsers(rows, labels, today), ...spoilTeams(teamRows, ownerEmail)];
  // As a spreadsheet saves it: byte order mark, CRLF.
  const usersCsv = `\uFEFF${stringify([labels, ...rows], { record_delimiter: 'windows' })}`;
  return { usersCsv, teamsCsv: stringify([teamLabels, ...teamRows]), mistakes, people: rows.length };
}

function hire(random: () => number): { people: Person[]; teams: Team[] } {
  const taken = new Set<string>();
  const people: Person[] = [];
  const teams: Team[] = [];
  const add = (manager: Person | null, job: string, department: string, inTeams: string[]): Person => {
    const person = { ...nameSomeone(random, taken), manager, teams: inTeams, job, department };
    people.push(person);
    return person;
  };
  const chief = add(null, 'Chief Executive Officer', 'Executive', ['Acme']);
  teams.push({ name: 'Acme', owner: chief, parent: '', type: 'Company' });
  for (const department of departments) {
    const head = add(chief, department.head, department.name, ['Acme', department.name]);
    if (department.name === 'People') Object.assign(head, { email: ownerEmail, first: 'Jane', last: 'Foster' });
    teams.push({ name: department.name, owner: head, parent: 'Acme', type: 'Department' });
    for (const squad of department.squads) {
      const lead = add(head, `Lead, ${squad.name}`, department.name, [department.name, squad.name]);
      teams.push({ name: squad.name, owner: lead, parent: squad.parent ?? department.name, type: squad.type });
      for (let member = 1; member < squad.people; member++) add(lead, department.job, department.name, [squad.name]);
    }
  }
  return { people, teams };
}

function nameSomeone(random: () => number, taken: Set<string>): Pick<Person, 'email' | 'first' | 'last'> {
  for (;;) {
    const first = pick(random, firstNames);
    const last = pick(random, lastNames);
    const email = `${toAscii(first)}.${toAscii(last)}@acme.test`;
    if (taken.has(email)) continue;
    taken.add(email);
    return { email, first, last };
  }
}

function toRow(person: Person, index: number, random: () => number): string[] {
  const hired = DateTime.utc(2014, 1, 1).plus({ days: Math.floor(random() * 4200) });
  const location = pick(random, locations);
  const isAdmin = person.email === ownerEmail || person.job === 'Lead, IT';
  return [
    person.email,
    person.first,
    person.last,
    person.manager === null ? 'Ingrid Solberg' : `${person.manager.first} ${person.manager.last}`,
    person.manager?.email ?? 'ingrid.solberg@solberg-holding.test', // the chair: in no row of the file
    person.teams.map(quoteTeam).join(', '),
    person.department === 'Finance & Legal' ? 'Observer' : 'Regular',
    isAdmin ? 'Yes' : 'No',
    '',
    String(index + 1).padStart(5, '0'),
    person.job,
    person.department,
    location,
    asDate(hired),
    location === 'Remote' || random() < 0.2 ? 'Yes' : 'No',
  ];
}

function costCenter(team: string): string {
  return `CC-${1000 + ((team.length * 37) % 900)}`;
}

function quoteTeam(name: string): string {
  return name.includes(',') ? `"${name}"` : name;
}

/** A name as in an email address: no accents, no apostrophes. */
function toAscii(name: string): string {
  const plain: Record<string, string> = { Ł: 'l', ł: 'l', ø: 'o', ü: 'ue', ö: 'oe', '’': '' };
  return name
    .replace(/[Łłøüö’]/g, (letter) => plain[letter]!)
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase();
}

function pick<T>(random: () => number, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)]!;
}

/** Mulberry32: small, seeded, and good enough for names. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
