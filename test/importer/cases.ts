/** The import rules as data: what was there, what is sent, what becomes of it. Read beside docs/import-rules.md. */
import type { Org } from '../../db/control/orgs.js';
import type { Counts } from '../../importer/types.js';
import { csv } from '../support/company.js';

export interface Case {
  /** The rule, and what is shown of it. */
  title: string;
  org?: Partial<Org>;
  /** Imported first, one run after the other; `days` of the clock pass after each. */
  before?: { file: string; days?: number }[];
  /** Named as the identifier column after what was imported before. */
  identifierSince?: string;
  /** Sent together, imported in one run. */
  files: Record<string, string | Buffer>;
  /** `code@line` of the first file's report, in its order. */
  codes?: string[];
  /** Some values of some users afterwards; null: there is no such user. */
  users?: Record<string, Record<string, unknown> | null>;
  teams?: Record<string, Record<string, unknown> | null>;
  /** Of the run; what is left out is zero. */
  userCounts?: Partial<Counts>;
  teamCounts?: Partial<Counts>;
  /** Whether the first file is refused. */
  refused?: boolean;
  /** What its refusal says. */
  says?: RegExp;
}

const users = (...rows: string[]) => csv(...(rows as [string]));
const email = 'User Email';
const staff: Partial<Org> = { options: { identifier: 'ID' } };
const day = 86_400_000;
/** Midnight in Berlin, where the sample organization is; imports happen on 2026-03-10 at noon. */
const march = (date: number) => Date.UTC(2026, 2, date) - 3_600_000;
/** As many fields as files of 150 columns have room for. */
const wide = Array.from({ length: 139 }, (_, n) => n);
const noon = Date.UTC(2026, 2, 10, 11);

export const cases: Case[] = [
  {
    title: 'F1 neither key column',
    files: { 'a.csv': users('Email,Name', 'a@b.test,A') },
    refused: true,
    codes: ['no_key_column@1'],
  },
  {
    title: 'F1 both key columns',
    files: { 'a.csv': users('User Email,Team Name', 'a@b.test,A') },
    refused: true,
    codes: ['both_key_columns@1'],
  },
  {
    title: 'F2 a byte order mark is no matter',
    files: { 'a.csv': `\ufeff${users(email, 'a@b.test')}` },
    users: { 'a@b.test': {} },
    userCounts: { created: 1 },
  },
  {
    title: 'F2 invalid bytes',
    files: { 'a.csv': Buffer.from('User Email,User Name\na@b.test,J\xfcrgen\n', 'latin1') },
    refused: true,
    codes: ['not_utf8@2'],
  },
  {
    title: 'F2 UTF-16',
    files: { 'a.csv': Buffer.from('\ufeffUser Email\na@b.test\n', 'utf16le') },
    refused: true,
    codes: ['not_csv@'],
  },
  {
    title: 'F2 a zip or workbook',
    files: { 'a.csv': Buffer.from('PK\x03\x04xl/workbook.xml') },
    refused: true,
    codes: ['not_csv@'],
  },
  { title: 'F2 a PDF', files: { 'a.csv': '%PDF-1.7 …' }, refused: true, codes: ['not_csv@'] },
  {
    title: 'F2 a binary file',
    files: { 'a.csv': Buffer.from('User Email\na@b.test\n\0\0\0') },
    refused: true,
    codes: ['binary@3'],
  },
  {
    title: 'F3 semicolons',
    files: { 'a.csv': users('User Email;User Name', 'a@b.test;A, Ms') },
    users: { 'a@b.test': { user_name: 'A, Ms' } },
    userCounts: { created: 1 },
  },
  {
    title: 'F2 UTF-16 for an organization that sends it',
    org: { options: { encoding: 'utf-16' } },
    files: {
      'a.csv': Buffer.from('\ufeffUser Email,User Name\na@b.test,Jürgen\n', 'utf16le'),
      'b.csv': Buffer.from('\ufeffUser Email,User Name\nb@b.test,Łucja\n', 'utf16le').swap16(),
      'c.csv': users('User Email,User Name', 'c@b.test,Ünal'),
    },
    users: {
      'a@b.test': { user_name: 'Jürgen' },
      'b@b.test': { user_name: 'Łucja' },
      'c@b.test': { user_name: 'Ünal' },
    },
    userCounts: { created: 3 },
  },
  {
    title: 'F2 Windows-1252 for an organization that sends it',
    org: { options: { encoding: 'windows-1252' } },
    files: { 'a.csv': Buffer.from('User Email,User Name\na@b.test,J\xfcrgen \x80\n', 'latin1') },
    users: { 'a@b.test': { user_name: 'Jürgen €' } },
    userCounts: { created: 1 },
  },
  {
    title: 'F2 auto: what is not UTF-8 is read as Windows-1252, with a warning',
    org: { options: { encoding: 'auto' } },
    files: {
      'a.csv': Buffer.from('User Email,User Name\na@b.test,J\xfcrgen\n', 'latin1'),
      'b.csv': users('User Email,User Name', 'b@b.test,Łucja'),
      'c.csv': Buffer.from('\ufeffUser Email,User Name\nc@b.test,Ünal\n', 'utf16le'),
    },
    codes: ['encoding_guessed@'],
    users: {
      'a@b.test': { user_name: 'Jürgen' },
      'b@b.test': { user_name: 'Łucja' },
      'c@b.test': { user_name: 'Ünal' },
    },
    userCounts: { created: 3, warnings: 1 },
  },
  {
    title: 'F2 auto: a wrong byte beside letters in UTF-8 is an error, not another encoding',
    org: { options: { encoding: 'auto' } },
    files: {
      'a.csv': Buffer.concat([
        Buffer.from(users('User Email,User Name', 'a@b.test,Jörg')),
        Buffer.from('b@b.test,J\xf6rg\n', 'latin1'),
      ]),
    },
    refused: true,
    codes: ['not_utf8@3'],
  },
  {
    title: 'F2 a workbook is a workbook, whatever the encoding',
    org: { options: { encoding: 'auto' } },
    files: { 'a.csv': Buffer.from('PK\x03\x04\xff\xfexl/workbook.xml', 'latin1') },
    refused: true,
    codes: ['not_csv@'],
  },
  {
    title: 'F3 the line by which Excel tells the delimiter',
    files: { 'a.csv': users('sep=;', 'User Email;User Name', 'a@b.test;A, Ms', 'nobody;X') },
    codes: ['email_invalid@4'],
    users: { 'a@b.test': { user_name: 'A, Ms' } },
    userCounts: { created: 1, faults: 1 },
  },
  {
    title: 'F3 tabs and pipes',
    files: {
      'a.csv': users('User Email\tUser Name', 'a@b.test\tA, Ms'),
      'b.csv': users('User Email|User Name', 'b@b.test|B; Mr'),
    },
    users: { 'a@b.test': { user_name: 'A, Ms' }, 'b@b.test': { user_name: 'B; Mr' } },
    userCounts: { created: 2 },
  },
  {
    title: 'F7 U1 U5 spaces that nobody sees, around labels and values and in addresses',
    files: {
      'a.csv': users(
        '\u00a0User Email\u200b,User Name',
        '\u200ba\u200b@b.test\u00a0,\u2060 Ann\u00a0 A. \ufeff',
        'A@b.test, Ann A.',
      ),
    },
    users: { 'a@b.test': { user_name: 'Ann A.' } },
    userCounts: { created: 1 },
  },
  {
    title: 'F2 UTF-16 that was cut off in a character',
    org: { options: { encoding: 'utf-16' } },
    files: { 'a.csv': Buffer.from('\ufeffUser Email,User Name\na@b.test,J\u20ac', 'utf16le').subarray(0, -1) },
    codes: ['not_utf16@2'],
    refused: true,
    users: { 'a@b.test': null },
    userCounts: { refused: 1 },
  },
  {
    title: 'F2 UTF-16 with half of a character',
    org: { options: { encoding: 'auto' } },
    files: {
      'a.csv': Buffer.from('\ufeffUser Email,User Name\na@b.test,\ud83d\ude00\nb@b.test,\ud83dx\n', 'utf16le').swap16(),
    },
    codes: ['not_utf16@3'],
    refused: true,
    userCounts: { refused: 1 },
  },
  {
    title: 'F6 F7 a column by its own name and by another that the organization gave it',
    org: { options: { aliases: { 'Work Email': 'User Email' } } },
    files: { 'a.csv': users('Work Email,User Email', 'a@b.test,b@b.test') },
    codes: ['label_twice@1'],
    refused: true,
    userCounts: { refused: 1 },
  },
  {
    title: 'F7 U1 U7 marks of writing direction that nobody sees, and no address that pretends to be another',
    files: {
      'a.csv': users(
        'User Email,User Name,Teams,Is Org Admin',
        '\u202aa@b.test\u202c,\u2067Ann\u2069,Ops,\u202aYes\u202c',
        'b\u202e@b.test,Bea \u202bB\u202c,\u2067Ops\u2069,',
        'c\u200d@b.test,,,',
      ),
    },
    users: {
      'a@b.test': { user_name: 'Ann', teams: ['Ops'], is_admin: 1 },
      'b@b.test': { user_name: 'Bea \u202bB\u202c', teams: ['Ops'] },
    },
    codes: ['team_made_up@2', 'email_invalid@4'],
    userCounts: { created: 2, faults: 1 },
    teamCounts: { stubs: 1 },
  },
  {
    title: 'U5 U7 letters in two forms of Unicode are the same, and stored in one',
    before: [{ file: users('User Email,Teams', 'a@b.test,Caf\u00e9') }],
    files: { 'a.csv': users('User Email,User Name,Teams', 'a@b.test,Rene\u0301,Cafe\u0301') },
    users: { 'a@b.test': { user_name: 'Ren\u00e9', teams: ['Caf\u00e9'] } },
    userCounts: { updated: 1 },
  },
  {
    title: 'C1 numbers that a spreadsheet was told to keep as texts',
    files: {
      'a.csv': users(
        'User Email,ID,Code,Nick',
        'a@b.test,="00123",\'00123,\'t Hooft',
        'b@b.test,"=""0""",7,"=""a """"b"""""""',
      ),
    },
    users: {
      'a@b.test': { custom: { ID: '00123', Code: '00123', Nick: "'t Hooft" } },
      'b@b.test': { custom: { ID: '0', Code: '7', Nick: 'a "b"' } },
    },
    userCounts: { created: 2 },
  },
  {
    title: 'U5 a user name is shown before first and last name, which are kept',
    files: { 'a.csv': users('User Email,User Name,First Name,Last Name', 'a@b.test,Annie,Ann,Lee') },
    users: { 'a@b.test': { user_name: 'Annie', first_name: 'Ann', last_name: 'Lee' } },
    userCounts: { created: 1 },
  },
  {
    title: 'T4 a type of team is any text',
    files: { 't.csv': users('Team Name,Team Type', 'Ops,"Squad, =1+1"') },
    teams: { Ops: { type: 'Squad, =1+1' } },
    teamCounts: { created: 1 },
  },
  {
    title: 'F4 quotes, newlines in cells, CRLF',
    files: { 'a.csv': 'User Email,User Name,Note\r\n"a@b.test","A ""Ace"" B","x\r\ny"\r\nbad,B,\r\n' },
    codes: ['email_invalid@4'],
    users: { 'a@b.test': { user_name: 'A "Ace" B' } },
    userCounts: { created: 1, faults: 1 },
  },
  {
    title: 'F4 an unclosed quote',
    files: { 'a.csv': users('User Email,User Name', 'a@b.test,A', 'b@b.test,"B', 'c@b.test,C') },
    refused: true,
    codes: ['unclosed_quote@3'],
  },
  {
    title: 'F4 quotes inside a cell that does not begin with one are characters',
    files: {
      'a.csv': users('User Email,User Name', 'a@b.test,Ann "Bo" Lee', '"b@b.test" , "B, Ms"\t', 'c@b.test,5" C'),
    },
    users: {
      'a@b.test': { user_name: 'Ann "Bo" Lee' },
      'b@b.test': { user_name: 'B, Ms' },
      'c@b.test': { user_name: '5" C' },
    },
    userCounts: { created: 3 },
  },
  {
    title: 'F4 text behind a closing quote is a fault of its row',
    files: {
      'a.csv': users(
        'User Email,User Name',
        'a@b.test,"Bob" Miller',
        'b@b.test,B',
        'c@b.test,"\\"Cy\\" C"',
        'd@b.test,D',
      ),
    },
    codes: ['quote_inside@2', 'quote_inside@4'],
    users: { 'a@b.test': null, 'b@b.test': { user_name: 'B' }, 'c@b.test': null, 'd@b.test': { user_name: 'D' } },
    userCounts: { created: 2, faults: 2 },
  },
  {
    title: 'F4 a teams file has the same fault, also with one column only',
    files: { 't.csv': users('Team Name', '"Ops" West', 'Sales') },
    codes: ['quote_inside@2'],
    teams: { Ops: null, Sales: {} },
    teamCounts: { created: 1, faults: 1 },
  },
  {
    title: 'F4 a quote that would swallow rows refuses the file',
    files: { 'a.csv': users('User Email,User Name', 'a@x.test,"Ann', 'b@x.test,Bob', 'c@x.test,"Cy"', 'd@x.test,Dan') },
    refused: true,
    codes: ['unclosed_quote@2'],
    users: { 'a@x.test': null, 'd@x.test': null },
  },
  {
    title: 'F4 a fault in a file of known rows',
    before: [{ file: users('User Email,User Name', 'a@b.test,A', 'b@b.test,B', 'c@b.test,C') }],
    files: { 'a.csv': users('User Email,User Name', 'a@b.test,A', 'b@b.test,"B" B', 'c@b.test,C', 'd@b.test,D') },
    codes: ['quote_inside@3'],
    users: { 'b@b.test': { user_name: 'B' }, 'd@b.test': { user_name: 'D' } },
    userCounts: { created: 1, unchanged: 2, faults: 1 },
  },
  {
    title: 'F4 a quote that would swallow known rows refuses the file',
    before: [{ file: users('User Email,User Name', 'a@b.test,A', 'b@b.test,B', 'c@b.test,C', 'd@b.test,D') }],
    files: { 'a.csv': users('User Email,User Name', 'a@b.test,"A', 'b@b.test,B', 'c@b.test,"C"', 'd@b.test,D') },
    refused: true,
    codes: ['unclosed_quote@2'],
  },
  {
    title: 'F4 too many, too few, and trailing empty cells',
    files: { 'a.csv': users('User Email,User Name', 'a@b.test,A,,', 'b@b.test,B,x', 'c@b.test', '', 'd@b.test,D') },
    codes: ['cell_count@3', 'cell_count@4'],
    users: { 'a@b.test': {}, 'b@b.test': null, 'c@b.test': null, 'd@b.test': {} },
    userCounts: { created: 2, faults: 2 },
  },
  { title: 'F5 no bytes', files: { 'a.csv': '' }, codes: ['file_empty@'], userCounts: { warnings: 1 } },
  {
    title: 'F5 a header and no rows',
    before: [{ file: users(email, 'a@b.test') }],
    files: { 'a.csv': users(email) },
    codes: ['no_rows@'],
    users: { 'a@b.test': { status: 'active' } },
    userCounts: { warnings: 1 },
  },
  {
    title: 'F6 a label twice',
    files: { 'a.csv': users('User Email,Office,Office', 'a@b.test,x,y') },
    refused: true,
    codes: ['label_twice@1'],
  },
  {
    title: 'F7 other case and spacing',
    files: { 'a.csv': users('user email,UserName', 'a@b.test,A') },
    codes: ['label_inexact@1', 'label_inexact@1'],
    users: { 'a@b.test': { user_name: 'A' } },
    userCounts: { created: 1, warnings: 2 },
  },
  {
    title: 'F7 a near miss never becomes a custom field',
    files: { 'a.csv': users('User Email,Manager Emial', 'a@b.test,b@b.test') },
    codes: ['label_near@1'],
    users: { 'a@b.test': { manager: null, custom: {} } },
    userCounts: { created: 1, warnings: 1 },
  },
  {
    title: 'F7a an added word, an opposite and another short word are columns of their own',
    files: { 'a.csv': users('User Email,Manager ID,Activation Date,Terms,Streams', 'a@b.test,7,soon,net,x') },
    codes: [],
    users: {
      'a@b.test': {
        manager: null,
        custom: { 'Manager ID': '7', 'Activation Date': 'soon', Terms: 'net', Streams: 'x' },
      },
    },
    userCounts: { created: 1 },
  },
  {
    title: 'F8 a blank label over values',
    files: { 'a.csv': users('User Email,,User Name,', 'a@b.test,x,A,') },
    codes: ['label_blank@1'],
    users: { 'a@b.test': { user_name: 'A' } },
    userCounts: { created: 1, warnings: 1 },
  },
  {
    title: 'F8 a teams file has no custom fields',
    files: { 't.csv': users('Team Name,Cost Center', 'A,1') },
    codes: ['label_unknown@1'],
    teams: { A: {} },
    teamCounts: { created: 1, warnings: 1 },
  },
  {
    title: 'F9 too many columns',
    files: { 'a.csv': users(`${email},${Array.from({ length: 199 }, (_, n) => `Field ${n}`).join(',')}`, 'a@b.test') },
    refused: true,
    codes: ['too_many_columns@1'],
  },
  {
    title: 'F9 a 10 MB cell',
    files: { 'a.csv': users('User Email,User Name', `a@b.test,${'x'.repeat(10 * 1024 * 1024)}`) },
    refused: true,
    codes: ['cell_too_large@2'],
  },
  {
    title: 'F10 teams first, whatever came first',
    files: {
      'users.csv': users('User Email,Teams', 'a@b.test,Sales'),
      'teams.csv': users('Team Name,Team Type', 'Sales,Region'),
    },
    users: { 'a@b.test': { teams: ['Sales'] } },
    teams: { Sales: { type: 'Region' } },
    userCounts: { created: 1 },
    teamCounts: { created: 1 },
  },
  {
    title: 'F10 the newest file of a type has the last word',
    files: {
      'a.csv': users('User Email,User Name', 'a@b.test,Old'),
      'b.csv': users('User Email,User Name', 'a@b.test,New'),
    },
    users: { 'a@b.test': { user_name: 'New' } },
    userCounts: { created: 1, updated: 1 },
  },

  {
    title: 'U1 missing and invalid addresses',
    files: { 'a.csv': users('User Email,User Name', ',A', 'nobody,B', ' c@b.test ,C') },
    codes: ['email_missing@2', 'email_invalid@3'],
    users: { 'c@b.test': {} },
    userCounts: { created: 1, faults: 2 },
  },
  {
    title: 'U1 shown as first written',
    before: [{ file: users(email, 'Ann@B.test') }],
    files: { 'a.csv': users('User Email,User Name', 'ann@b.TEST,Ann') },
    users: { 'Ann@B.test': { user_name: 'Ann' } },
    userCounts: { updated: 1 },
  },
  {
    title: 'U2 identical rows count once, different ones are faulty',
    files: { 'a.csv': users('User Email,User Name', 'a@b.test,A', 'b@b.test,B', 'a@b.test,A', 'B@b.test,C') },
    codes: ['email_twice@3', 'email_twice@5'],
    users: { 'a@b.test': {}, 'b@b.test': null },
    userCounts: { created: 1, faults: 2 },
  },
  {
    title: 'U2 how an address is spelled is no difference',
    files: { 'a.csv': users('User Email,User Name', 'A@b.test,A', 'a@B.test,A') },
    users: { 'A@b.test': { user_name: 'A' } },
    userCounts: { created: 1 },
  },
  {
    title: 'U3 who is not in the file is not touched',
    before: [{ file: users(email, 'a@b.test', 'b@b.test') }],
    files: { 'a.csv': users(email, 'b@b.test') },
    users: { 'a@b.test': { status: 'active' } },
    userCounts: { unchanged: 1 },
  },
  {
    title: 'U4 blank and absent leave values alone',
    before: [{ file: users('User Email,User Name,Manager Email,Office', 'a@b.test,A,m@b.test,Rome') }],
    files: { 'a.csv': users('User Email,User Name,Office', 'a@b.test,,') },
    users: { 'a@b.test': { user_name: 'A', manager: 'm@b.test', custom: { Office: 'Rome' } } },
    userCounts: { unchanged: 1 },
  },
  {
    title: 'U6 names with commas, memberships are added',
    codes: ['team_made_up@2', 'team_made_up@2'],
    before: [{ file: users('User Email,Teams', 'a@b.test,One') }],
    files: { 'a.csv': users('User Email,Teams', '"a@b.test","""R, D"",Two\\, too, one"') },
    users: { 'a@b.test': { teams: ['One', 'R, D', 'Two, too'] } },
    userCounts: { updated: 1 },
    teamCounts: { stubs: 2 },
  },
  {
    title: 'U6 an organization may replace',
    codes: ['team_made_up@2'],
    org: { teamsMode: 'replace' },
    before: [{ file: users('User Email,Teams', 'a@b.test,"One,Two"', 'b@b.test,One') }],
    files: { 'a.csv': users('User Email,Teams', 'a@b.test,"Two,Three"', 'b@b.test,') },
    users: { 'a@b.test': { teams: ['Three', 'Two'] }, 'b@b.test': { teams: ['One'] } },
    userCounts: { updated: 1, unchanged: 1 },
    teamCounts: { stubs: 1 },
  },
  {
    title: 'U6 with several files the last one replaces',
    codes: ['team_made_up@2'],
    org: { teamsMode: 'replace' },
    before: [{ file: users('User Email,Teams', 'a@b.test,One') }],
    files: {
      'a.csv': users('User Email,Teams', 'a@b.test,Two', 'b@b.test,Two'),
      'b.csv': users('User Email,Teams', 'a@b.test,One', 'b@b.test,Three'),
    },
    users: { 'a@b.test': { teams: ['One'] }, 'b@b.test': { teams: ['Three'] } },
    userCounts: { created: 1, updated: 3 },
    teamCounts: { stubs: 2 },
  },
  {
    title: 'U6 a name that no team can have',
    files: { 'a.csv': users('User Email,Teams', `a@b.test,${'x'.repeat(256)}`) },
    codes: ['teams_long@2'],
    users: { 'a@b.test': { teams: [] } },
    userCounts: { created: 1, warnings: 1 },
  },
  {
    title: 'U7 team names compare without case and inner spaces',
    codes: ['team_made_up@2'],
    files: { 'a.csv': users('User Email,Teams', 'a@b.test,Big  Team', 'b@b.test,big team') },
    users: { 'b@b.test': { teams: ['Big Team'] } },
    teams: { 'Big Team': { owner: 'owner@acme.test' } },
    userCounts: { created: 2 },
    teamCounts: { stubs: 1 },
  },
  {
    title: 'U8 an unknown manager is created, one defined further down is not',
    codes: ['user_made_up@2'],
    files: {
      'a.csv': users(
        'User Email,Manager,Manager Email',
        'a@b.test,Mia M.,mia@b.test',
        'b@b.test,,c@b.test',
        'c@b.test,,',
      ),
    },
    users: {
      'mia@b.test': { user_name: 'Mia M.', account_type: 'Regular', is_admin: 0 },
      'b@b.test': { manager: 'c@b.test' },
    },
    userCounts: { created: 3, stubs: 1 },
  },
  {
    title: 'U8 whom an earlier file of the run names and a later one describes is no stub, and keeps the name',
    files: {
      'a.csv': users('User Email,Manager,Manager Email', 'a@b.test,Mia M.,mia@b.test'),
      'b.csv': users('User Email,Last Name', 'mia@b.test,Moore'),
    },
    users: { 'mia@b.test': { user_name: 'Mia M.', last_name: 'Moore' } },
    userCounts: { created: 2 },
  },
  {
    title: 'U8 an invalid manager',
    files: { 'a.csv': users('User Email,Manager Email', 'a@b.test,Mia') },
    codes: ['manager_invalid@2'],
    users: { 'a@b.test': { manager: null } },
    userCounts: { created: 1, warnings: 1 },
  },
  {
    title: 'U8a whom only a cell names: a notice each, none for one that the file describes further down',
    files: {
      'a.csv': users(`${email},Manager Email,Teams`, 'a@b.test,x@b.test,T', 'c@b.test,d@b.test,T', 'd@b.test,,'),
    },
    codes: ['user_made_up@2', 'team_made_up@2'],
    users: { 'x@b.test': { status: 'active' } },
    userCounts: { created: 3, stubs: 1 },
    teamCounts: { stubs: 1 },
  },
  {
    title: 'U8a createMissing=no: the cells are ignored',
    org: { options: { createMissing: 'no' } },
    before: [{ file: users('Team Name', 'T') }],
    files: {
      'a.csv': users(`${email},Manager Email,Teams`, 'a@b.test,x@b.test,T', 'c@b.test,d@b.test,"T,U"', 'd@b.test,,'),
    },
    codes: ['manager_unknown@2', 'teams_unknown@3'],
    users: {
      'x@b.test': null,
      'a@b.test': { manager: null, teams: ['T'] },
      'c@b.test': { manager: 'd@b.test', teams: [] },
    },
    userCounts: { created: 3, warnings: 2 },
  },
  {
    title: 'U4a a clear token empties values, and is none of a new field',
    org: { options: { clearToken: '<clear>' } },
    before: [{ file: users(`${email},User Name,Office`, 'a@b.test,Ann,Rome', 'c@b.test,Cyd,') }],
    files: {
      'a.csv': users(
        `${email},User Name,Office,Since`,
        'a@b.test,<clear>,<CLEAR>,<clear>',
        'c@b.test,,<clear>,2026-01-31',
      ),
    },
    users: {
      'a@b.test': { user_name: null, custom: {} },
      'c@b.test': { user_name: 'Cyd', custom: { Since: '2026-01-31' } },
    },
    userCounts: { updated: 2 },
  },
  {
    title: 'U4a once: a value that is there stays, an empty one is filled',
    org: { options: { fieldOwners: { 'User Name': 'once' } } },
    before: [{ file: users(`${email},User Name`, 'a@b.test,Ann', 'c@b.test,') }],
    files: { 'a.csv': users(`${email},User Name`, 'a@b.test,Anna', 'c@b.test,Cyd') },
    codes: ['kept_once@2'],
    users: { 'a@b.test': { user_name: 'Ann' }, 'c@b.test': { user_name: 'Cyd' } },
    userCounts: { updated: 1, unchanged: 1 },
  },
  {
    title: 'U3a a user who is missing from a full file is deactivated where the organization chose it',
    org: { options: { omission: 'deactivate-after:1' } },
    before: [{ file: users(email, 'a@b.test', 'c@b.test', 'd@b.test') }],
    files: { 'users.full.csv': users(email, 'a@b.test', 'c@b.test') },
    codes: ['omission_deactivated@'],
    users: {
      'd@b.test': { status: 'deactivated', deactivated_by: 'absence' },
      'owner@acme.test': { status: 'active' },
    },
    userCounts: { updated: 1, unchanged: 2, deactivated: 1 },
  },
  {
    title: 'U3 without that setting a full file deactivates no one',
    before: [{ file: users(email, 'a@b.test', 'c@b.test', 'd@b.test') }],
    files: { 'users.full.csv': users(email, 'a@b.test', 'c@b.test') },
    users: { 'd@b.test': { status: 'active' } },
    userCounts: { unchanged: 2 },
  },
  {
    title: 'U9 oneself',
    files: { 'a.csv': users('User Email,Manager Email', 'a@b.test,A@b.test') },
    codes: ['manager_self@2'],
    userCounts: { created: 1, warnings: 1 },
  },
  {
    title: 'U9 a ring in the file',
    files: {
      'a.csv': users(
        'User Email,Manager Email',
        'a@b.test,b@b.test',
        'b@b.test,c@b.test',
        'c@b.test,a@b.test',
        'd@b.test,a@b.test',
      ),
    },
    codes: ['manager_ring@4'],
    users: { 'a@b.test': { manager: 'b@b.test' }, 'c@b.test': { manager: null }, 'd@b.test': { manager: 'a@b.test' } },
    userCounts: { created: 4, warnings: 1 },
  },
  {
    title: 'U9 a ring with what is there',
    before: [{ file: users('User Email,Manager Email', 'a@b.test,b@b.test', 'b@b.test,c@b.test') }],
    files: { 'a.csv': users('User Email,Manager Email', 'c@b.test,a@b.test') },
    codes: ['manager_ring@2'],
    users: { 'c@b.test': { manager: null } },
    userCounts: { unchanged: 1, warnings: 1 },
  },
  {
    title: 'U9 a line that says again what is there is not the one that closes a ring',
    before: [{ file: users('User Email,Manager Email', 'a@b.test,', 'b@b.test,a@b.test') }],
    files: { 'a.csv': users('User Email,Manager Email', 'a@b.test,b@b.test', 'b@b.test,a@b.test') },
    codes: ['manager_ring@2'],
    users: { 'a@b.test': { manager: null }, 'b@b.test': { manager: 'a@b.test' } },
    userCounts: { unchanged: 2, warnings: 1 },
  },
  {
    title: 'U9 turning a line of managers around is no ring',
    codes: ['user_made_up@3'],
    before: [{ file: users('User Email,Manager Email', 'a@b.test,b@b.test', 'b@b.test,c@b.test') }],
    files: { 'a.csv': users('User Email,Manager Email', 'c@b.test,b@b.test', 'b@b.test,d@b.test') },
    users: { 'c@b.test': { manager: 'b@b.test' }, 'b@b.test': { manager: 'd@b.test' } },
    userCounts: { updated: 2, stubs: 1 },
  },
  {
    title: 'U9 where a later file of the run closes a ring, the manager of the earlier one stays',
    codes: ['user_made_up@3'],
    files: {
      'a.csv': users('User Email,Manager Email', 'a@b.test,b@b.test', 'b@b.test,m@b.test'),
      'b.csv': users('User Email,Manager Email', 'b@b.test,a@b.test'),
    },
    users: { 'a@b.test': { manager: 'b@b.test' }, 'b@b.test': { manager: 'm@b.test' } },
    userCounts: { created: 2, stubs: 1, unchanged: 1, warnings: 1 },
  },
  {
    title: 'U9 what was there before closes the next ring, and the next line gives way',
    before: [
      { file: users('User Email,Manager Email', 'a@b.test,b@b.test', 'b@b.test,c@b.test', 'c@b.test,d@b.test') },
    ],
    files: { 'a.csv': users('User Email,Manager Email', 'b@b.test,a@b.test', 'c@b.test,b@b.test') },
    codes: ['manager_ring@2', 'manager_ring@3'],
    users: { 'b@b.test': { manager: 'c@b.test' }, 'c@b.test': { manager: 'd@b.test' } },
    userCounts: { unchanged: 2, warnings: 2 },
  },
  {
    title: 'U8 names of managers without their addresses: one warning for the column',
    files: { 'a.csv': users('User Email,Manager', 'a@b.test,Mia', 'b@b.test,Max') },
    codes: ['manager_alone@1'],
    userCounts: { created: 2, warnings: 1 },
  },
  {
    title: 'F8 a Status that says more than an export: one warning for the column',
    files: {
      'a.csv': users('User Email,Status', 'a@b.test,active', 'b@b.test,terminated', 'c@b.test,', 'd@b.test,On Leave'),
      'b.csv': users('User Email,Status', 'a@b.test,active', 'b@b.test,Deactivated'),
    },
    codes: ['status_ignored@3'],
    users: { 'b@b.test': { status: 'active' } },
    userCounts: { created: 4, unchanged: 2, warnings: 1 },
  },
  {
    title: 'U6 teams that seem to be separated otherwise: one warning for the column',
    files: {
      'a.csv': users(
        'User Email,Teams',
        'a@b.test,Ops',
        'b@b.test,Ops;Sales',
        'c@b.test,Law|Ops',
        'd@b.test,"""R;D"""',
      ),
    },
    codes: ['team_made_up@2', 'teams_separator@3', 'team_made_up@3', 'team_made_up@4', 'team_made_up@5'],
    teams: { 'Ops;Sales': {}, 'R;D': {} },
    userCounts: { created: 4, warnings: 1 },
    teamCounts: { stubs: 4 },
  },
  {
    title: 'U10 Yes and No in any case, blank keeps, else a warning',
    before: [{ file: users('User Email,Is Org Admin', 'a@b.test,Yes', 'b@b.test,yes') }],
    files: { 'a.csv': users('User Email,Is Org Admin', 'a@b.test,', 'b@b.test,NO', 'c@b.test,maybe') },
    codes: ['admin_invalid@4'],
    users: { 'a@b.test': { is_admin: 1 }, 'b@b.test': { is_admin: 0 }, 'c@b.test': { is_admin: 0 } },
    userCounts: { created: 1, updated: 1, unchanged: 1, warnings: 1 },
  },
  {
    title: 'U10 other forms of Yes and No are read, with one warning for the column',
    before: [{ file: users('User Email,Is Org Admin', 'b@b.test,Yes', 'd@b.test,Yes', 'f@b.test,Yes') }],
    files: {
      'a.csv': users(
        'User Email,Is Org Admin',
        ...['owner@acme.test,yes', 'a@b.test,TRUE', 'b@b.test,false', 'c@b.test,Y', 'd@b.test,n', 'e@b.test,1'],
        ...['f@b.test,0', 'g@b.test,2', 'h@b.test,x'],
      ),
    },
    codes: ['admin_inexact@3', 'admin_invalid@9', 'admin_invalid@10'],
    users: Object.fromEntries(
      [...'abcdefgh'].map((name) => [`${name}@b.test`, { is_admin: 'ace'.includes(name) ? 1 : 0 }]),
    ),
    userCounts: { created: 5, updated: 3, unchanged: 1, warnings: 3 },
  },
  {
    title: 'C3 an existing Yes or No field reads Y, N, 1 and 0; they make no new one',
    before: [{ file: users('User Email,Remote', 'a@b.test,Yes') }],
    files: {
      'a.csv': users('User Email,Remote,Level', 'a@b.test,n,1', 'b@b.test,1,0', 'c@b.test,Y,1', 'd@b.test,2,0'),
    },
    codes: ['field_mismatch@5'],
    users: {
      'a@b.test': { custom: { Remote: 'No', Level: '1' } },
      'b@b.test': { custom: { Remote: 'Yes', Level: '0' } },
      'c@b.test': { custom: { Remote: 'Yes', Level: '1' } },
      'd@b.test': { custom: { Level: '0' } },
    },
    userCounts: { created: 3, updated: 1, warnings: 1 },
  },
  {
    title: 'U10 the last admin stays',
    files: { 'a.csv': users('User Email,Is Org Admin,Deactivation Date', 'owner@acme.test,No,2026-03-10') },
    codes: ['last_admin@2', 'last_admin@2'],
    users: { 'owner@acme.test': { is_admin: 1, status: 'active', deactivation_date: null } },
    userCounts: { unchanged: 1, warnings: 2 },
  },
  {
    title: 'U10 the last admin may go where another comes',
    files: { 'a.csv': users('User Email,Is Org Admin', 'owner@acme.test,No', 'a@b.test,Yes') },
    users: { 'owner@acme.test': { is_admin: 0 }, 'a@b.test': { is_admin: 1 } },
    userCounts: { created: 1, updated: 1 },
  },
  {
    title: 'U10 of two admins that go, the later row stays',
    before: [{ file: users('User Email,Is Org Admin', 'a@b.test,Yes') }],
    files: { 'a.csv': users('User Email,Is Org Admin', 'owner@acme.test,No', 'a@b.test,No') },
    codes: ['last_admin@3'],
    users: { 'owner@acme.test': { is_admin: 0 }, 'a@b.test': { is_admin: 1 } },
    userCounts: { updated: 1, unchanged: 1, warnings: 1 },
  },
  {
    title: 'U11 account types',
    before: [{ file: users('User Email,User Account Type', 'a@b.test,observer') }],
    files: { 'a.csv': users('User Email,User Account Type', 'a@b.test,', 'b@b.test,', 'c@b.test,Guest') },
    codes: ['account_type_invalid@4'],
    users: {
      'a@b.test': { account_type: 'Observer' },
      'b@b.test': { account_type: 'Regular' },
      'c@b.test': { account_type: 'Regular' },
    },
    userCounts: { created: 2, unchanged: 1, warnings: 1 },
  },
  {
    title: 'U12 in the future: scheduled for the start of the day',
    before: [{ file: users(email, 'a@b.test') }],
    files: { 'a.csv': users('User Email,Deactivation Date', 'a@b.test,2026-03-15', 'b@b.test,2026-03-20') },
    users: {
      'a@b.test': { status: 'active', deactivate_at: march(15) },
      'b@b.test': { status: 'active', deactivate_at: march(20) },
    },
    userCounts: { created: 1, updated: 1, scheduled: 2 },
  },
  {
    title: 'U12 today: at the import',
    before: [{ file: users(email, 'a@b.test') }],
    files: { 'a.csv': users('User Email,Deactivation Date', 'a@b.test,2026-03-10') },
    users: { 'a@b.test': { status: 'deactivated', deactivated_by: 'import', deactivate_at: null } },
    userCounts: { updated: 1, deactivated: 1 },
  },
  {
    title: 'U12 in the past: a day later, or created so',
    before: [{ file: users(email, 'a@b.test') }],
    files: { 'a.csv': users('User Email,Deactivation Date', 'a@b.test,2026-03-01', 'b@b.test,2026-03-01') },
    users: { 'a@b.test': { status: 'active', deactivate_at: noon + day }, 'b@b.test': { status: 'deactivated' } },
    userCounts: { created: 1, updated: 1, deactivated: 1, scheduled: 1 },
  },
  {
    title: 'U12 a later date moves the schedule',
    before: [{ file: users('User Email,Deactivation Date', 'a@b.test,2026-03-15') }],
    files: { 'a.csv': users('User Email,Deactivation Date', 'a@b.test,2026-03-25') },
    users: { 'a@b.test': { deactivate_at: march(25), deactivation_date: '2026-03-25' } },
    userCounts: { updated: 1, scheduled: 1 },
  },
  {
    title: 'U12 a future date brings back whom an import had deactivated',
    before: [{ file: users('User Email,Deactivation Date', 'a@b.test,2026-03-01') }],
    files: { 'a.csv': users('User Email,Deactivation Date', 'a@b.test,2026-03-25') },
    users: { 'a@b.test': { status: 'active', deactivate_at: march(25), deactivated_by: null } },
    userCounts: { updated: 1, scheduled: 1 },
  },
  {
    title: 'U12 blank keeps',
    before: [{ file: users('User Email,Deactivation Date', 'a@b.test,2026-03-15') }],
    files: { 'a.csv': users('User Email,Deactivation Date', 'a@b.test,') },
    users: { 'a@b.test': { deactivate_at: march(15) } },
    userCounts: { unchanged: 1, warnings: 1 },
    codes: ['date_blank_scheduled@2'],
  },
  {
    title: 'U12a a blank date brings nobody back, and says so; an ignored cell is not blank',
    before: [
      {
        file: users(
          'User Email,Deactivation Date',
          'a@b.test,2026-03-10',
          'c@b.test,2026-03-10',
          'd@b.test,2026-03-10',
        ),
      },
    ],
    files: {
      'a.csv': users('User Email,Deactivation Date', 'a@b.test,', 'c@b.test,soon', 'd@b.test,2026-03-10', 'e@b.test,'),
    },
    users: { 'a@b.test': { status: 'deactivated' }, 'e@b.test': { status: 'active' } },
    userCounts: { created: 1, unchanged: 3, warnings: 2 },
    codes: ['date_blank_deactivated@2', 'date_invalid@3'],
  },
  {
    title: 'U13 deactivating a manager changes nobody else',
    before: [{ file: users('User Email,Manager Email', 'a@b.test,m@b.test') }],
    files: { 'a.csv': users('User Email,Deactivation Date', 'm@b.test,2026-03-10') },
    users: { 'a@b.test': { manager: 'm@b.test' } },
    userCounts: { updated: 1, deactivated: 1 },
  },
  {
    title: 'U14 a column tells its own order',
    files: { 'a.csv': users('User Email,Deactivation Date', 'a@b.test,13/04/2026', 'b@b.test,5/4/2026') },
    users: { 'b@b.test': { deactivation_date: '2026-04-05' } },
    userCounts: { created: 2, scheduled: 2 },
  },
  {
    title: 'U14 ambiguous: nothing is guessed',
    files: {
      'a.csv': users(
        'User Email,Deactivation Date',
        'a@b.test,05/04/2026',
        'b@b.test,2026-05-04',
        'c@b.test,06/06/2026',
      ),
    },
    codes: ['date_ambiguous@2'],
    users: {
      'a@b.test': { deactivation_date: null },
      'b@b.test': { deactivation_date: '2026-05-04' },
      'c@b.test': { deactivation_date: '2026-06-06' },
    },
    userCounts: { created: 3, scheduled: 2, warnings: 1 },
  },
  {
    title: 'U14 a rejected row tells nothing of a column, and a bad date does not hide the others',
    before: [{ file: users('User Email,Start', 'a@b.test,2020-01-31') }],
    files: {
      'a.csv': users(
        'User Email,Start',
        'nobody,01/31/2020',
        'a@b.test,soon',
        'b@b.test,05/04/2020',
        'c@b.test,13/04/2020',
      ),
    },
    codes: ['email_invalid@2', 'field_mismatch@3'],
    users: { 'b@b.test': { custom: { Start: '2020-04-05' } } },
    userCounts: { created: 2, unchanged: 1, faults: 1, warnings: 1 },
  },
  {
    title: 'U14 a contradiction',
    files: { 'a.csv': users('User Email,Deactivation Date', 'a@b.test,13/04/2026', 'b@b.test,04/13/2026') },
    codes: ['date_contradictory@2', 'date_contradictory@3'],
    userCounts: { created: 2, warnings: 2 },
  },
  {
    title: 'U14 forms that can be read one way only',
    org: { dateFormat: 'mdy' },
    files: {
      'a.csv': users(
        'User Email,Deactivation Date',
        'a@b.test,2026-12-31T00:00:00Z',
        'b@b.test,12/31/2026 00:00:00',
        'c@b.test,31.12.2026',
        'd@b.test,2026/12/31',
        'e@b.test,20261231',
        'f@b.test,31-Dec-2026',
        'g@b.test,2026-12-31-08:00',
        'h@b.test,46387',
        'i@b.test,31.02.2026',
        'j@b.test,"December 31, 2026"',
        'k@b.test,"Thu, 31 Dec 2026"',
        'l@b.test,2026.12.31',
        'm@b.test,12-31-2026',
        'n@b.test,"Friday, December 31, 2026"',
      ),
    },
    codes: ['date_serial@9', 'date_invalid@10', 'date_invalid@15'],
    users: Object.fromEntries(
      [...'abcdefgjklm'].map((name) => [`${name}@b.test`, { deactivation_date: '2026-12-31' }]),
    ),
    userCounts: { created: 14, scheduled: 11, warnings: 3 },
  },
  {
    title: 'C1 a new field is one of dates in any form, unless a time of day or a number would be lost',
    files: {
      'a.csv': users(
        'User Email,Start,Seen,Badge',
        'a@b.test,31.12.2026,2026-12-31T08:30:00Z,20261231',
        'b@b.test,2026-12-31T00:00:00Z,2026-12-30T00:00:00Z,20261230',
      ),
      'b.csv': users('User Email,Start', 'a@b.test,46387'),
    },
    users: {
      'a@b.test': { custom: { Start: '2026-12-31', Seen: '2026-12-31T08:30:00Z', Badge: '20261231' } },
      'b@b.test': { custom: { Start: '2026-12-31', Seen: '2026-12-30T00:00:00Z', Badge: '20261230' } },
    },
    userCounts: { created: 2, unchanged: 1, warnings: 1 },
  },
  {
    title: 'U14 the organization says which',
    org: { dateFormat: 'mdy' },
    files: {
      'a.csv': users(
        'User Email,Deactivation Date',
        'a@b.test,05/04/2026',
        'b@b.test,13/04/2026',
        'c@b.test,02/30/2026',
      ),
    },
    codes: ['date_invalid@3', 'date_invalid@4'],
    users: { 'a@b.test': { deactivation_date: '2026-05-04' } },
    userCounts: { created: 3, scheduled: 1, warnings: 2 },
  },

  {
    title: 'U15 a changed email renames, whatever the order of rows',
    org: staff,
    before: [{ file: users('User Email,User Name,ID', 'a@b.test,A,1', 'b@b.test,B,2') }],
    files: { 'a.csv': users('User Email,User Name,ID,Manager Email', 'b@b.test,B,2,new@b.test', 'New@b.test,,1,') },
    users: {
      'New@b.test': { user_name: 'A', email_key: 'new@b.test', custom: { ID: '1' } },
      'a@b.test': null,
      'b@b.test': { manager: 'New@b.test' },
    },
    userCounts: { updated: 2 },
  },
  {
    title: 'U15 the old email of a renamed manager still means them',
    org: staff,
    before: [{ file: users('User Email,ID', 'a@b.test,1', 'b@b.test,2') }],
    files: { 'a.csv': users('User Email,ID,Manager Email', 'new@b.test,1,', 'b@b.test,2,a@b.test') },
    users: { 'b@b.test': { manager: 'new@b.test' }, 'a@b.test': null },
    userCounts: { updated: 2 },
  },
  {
    title: 'U15 two users swap their emails',
    codes: ['team_made_up@2'],
    org: staff,
    before: [{ file: users('User Email,User Name,ID,Teams', 'a@b.test,A,1,One', 'b@b.test,B,2,Two', 'c@b.test,C,3,') }],
    files: {
      'a.csv': users(
        'User Email,ID,Manager Email,Teams',
        'b@b.test,1,,Three',
        'a@b.test,2,b@b.test,Three',
        'c@b.test,3,a@b.test,',
      ),
    },
    users: {
      'b@b.test': { user_name: 'A', teams: ['One', 'Three'] },
      'a@b.test': { user_name: 'B', teams: ['Three', 'Two'], manager: 'b@b.test' },
      'c@b.test': { manager: 'a@b.test' },
    },
    userCounts: { updated: 3 },
    teamCounts: { stubs: 1 },
  },
  {
    title: 'U15 emails are passed on along a chain, to a new user at its end',
    org: staff,
    before: [{ file: users('User Email,User Name,ID', 'a@b.test,A,1', 'b@b.test,B,2') }],
    files: { 'a.csv': users('User Email,User Name,ID', 'a@b.test,N,9', 'b@b.test,A,1', 'c@b.test,B,2') },
    users: { 'a@b.test': { user_name: 'N' }, 'b@b.test': { user_name: 'A' }, 'c@b.test': { user_name: 'B' } },
    userCounts: { created: 1, updated: 2 },
  },
  {
    title: 'U15 a chain that breaks at its end is faulty to its beginning',
    org: staff,
    before: [{ file: users('User Email,User Name,ID', 'a@b.test,A,1', 'b@b.test,B,2', 'c@b.test,C,3') }],
    files: { 'a.csv': users('User Email,User Name,ID', 'b@b.test,A1,1', 'c@b.test,B1,2', 'd@b.test,D,4') },
    codes: ['identifier_conflict@2', 'identifier_conflict@3'],
    users: { 'a@b.test': { user_name: 'A' }, 'b@b.test': { user_name: 'B' }, 'c@b.test': { user_name: 'C' } },
    userCounts: { created: 1, faults: 2 },
  },
  {
    title: 'U15 an email known without identifier is adopted',
    before: [{ file: users('User Email,User Name', 'a@b.test,A') }],
    org: staff,
    files: { 'a.csv': users('User Email,ID', 'a@b.test,007') },
    users: { 'a@b.test': { user_name: 'A', custom: { ID: '007' } } },
    userCounts: { updated: 1 },
  },
  {
    title: 'U15 identifier and email of two users, and an email of somebody with another identifier',
    org: staff,
    before: [{ file: users('User Email,ID', 'a@b.test,1', 'b@b.test,2', 'c@b.test,') }],
    files: { 'a.csv': users('User Email,ID', 'b@b.test,1', 'a@b.test,9', 'c@b.test,2') },
    codes: ['identifier_conflict@2', 'identifier_conflict@3', 'identifier_conflict@4'],
    users: { 'a@b.test': { custom: { ID: '1' } }, 'b@b.test': { custom: { ID: '2' } }, 'c@b.test': { custom: {} } },
    userCounts: { faults: 3 },
  },
  {
    title: 'U15 U2 the same identifier with two emails, and the same row twice',
    org: staff,
    files: { 'a.csv': users('User Email,ID', 'a@b.test,1', 'b@b.test,1', 'c@b.test,3', 'C@b.test,3') },
    codes: ['identifier_twice@2', 'identifier_twice@3'],
    users: { 'a@b.test': null, 'b@b.test': null, 'c@b.test': {} },
    userCounts: { created: 1, faults: 2 },
  },
  {
    title: 'U15 a row without identifier, whose email is given to nobody else',
    org: staff,
    before: [{ file: users('User Email,User Name,ID', 'a@b.test,A,1', 'b@b.test,B,2') }],
    files: { 'a.csv': users('User Email,User Name,ID', 'a@b.test,X,', 'new@b.test,A,1', 'b@b.test,Bo,') },
    codes: ['identifier_needed@2'],
    users: { 'new@b.test': { user_name: 'A' }, 'a@b.test': null, 'b@b.test': { user_name: 'Bo' } },
    userCounts: { updated: 2, faults: 1 },
  },
  {
    title: 'U15 users who got one identifier before it was one',
    before: [{ file: users('User Email,ID', 'a@b.test,1', 'b@b.test,1') }],
    files: { 'a.csv': users('User Email,ID', 'a@b.test,1', 'c@b.test,') },
    identifierSince: 'ID',
    codes: ['identifier_shared@2'],
    users: { 'c@b.test': {} },
    userCounts: { created: 1, faults: 1 },
  },
  {
    title: 'U15 U8 a stub that an earlier file made is the user who gets that email',
    org: staff,
    before: [{ file: users('User Email,ID', 'a@b.test,1', 'b@b.test,2') }],
    files: {
      'a.csv': users('User Email,ID', 'new@b.test,1'),
      't.csv': users('Team Name,Owner Email', 'Ops,new@b.test'),
      'b.csv': users('User Email,ID,Manager Email', 'b@b.test,2,new@b.test', 'c@b.test,3,a@b.test'),
    },
    users: {
      'new@b.test': { custom: { ID: '1' } },
      'b@b.test': { manager: 'new@b.test' },
      'c@b.test': { manager: 'new@b.test' },
    },
    teams: { Ops: { owner: 'new@b.test' } },
    userCounts: { created: 1, updated: 2 },
    teamCounts: { created: 1 },
  },
  {
    title: 'U15 a user renamed in one file goes by the new email in the next',
    org: staff,
    before: [{ file: users('User Email,User Name,ID', 'a@b.test,A,1') }],
    files: {
      'a.csv': users('User Email,ID', 'new@b.test,1'),
      'b.csv': users('User Email,User Name,ID', 'new@b.test,Ann,', 'a@b.test,Other,2'),
      'c.csv': users('User Email,ID', 'last@b.test,1'),
    },
    users: { 'last@b.test': { user_name: 'Ann' }, 'a@b.test': { user_name: 'Other' }, 'new@b.test': null },
    userCounts: { created: 1, updated: 3 },
  },
  {
    title: 'U15 R2 a former email goes on meaning its user for managers, and nobody else gets it without an identifier',
    org: staff,
    before: [
      { file: users('User Email,ID', 'a@b.test,1', 'b@b.test,2') },
      { file: users('User Email,ID,Manager Email', 'new@b.test,1,', 'b@b.test,2,a@b.test', 'a@b.test,,') },
    ],
    files: { 'a.csv': users('User Email,ID,Manager Email', 'new@b.test,1,', 'b@b.test,2,a@b.test', 'a@b.test,,') },
    codes: ['identifier_needed@4'],
    users: { 'b@b.test': { manager: 'new@b.test' }, 'a@b.test': null },
    userCounts: { unchanged: 2, faults: 1 },
  },
  {
    title: 'U15 U9 a stub does not become a user where that would close a ring of managers',
    codes: ['user_made_up@2'],
    org: staff,
    before: [{ file: users('User Email,ID,Manager Email', 'a@b.test,1,b@b.test', 'b@b.test,2,') }],
    files: {
      'a.csv': users('User Email,ID,Manager Email', 'b@b.test,2,new@b.test'),
      'b.csv': users('User Email,ID', 'new@b.test,1'),
    },
    users: { 'a@b.test': { manager: 'b@b.test' }, 'b@b.test': { manager: 'new@b.test' } },
    userCounts: { updated: 1, stubs: 1, faults: 1 },
  },
  {
    title: 'U15 U9 nobody manages themselves by their old email',
    org: staff,
    before: [{ file: users('User Email,ID', 'a@b.test,1') }],
    files: { 'a.csv': users('User Email,ID,Manager Email', 'new@b.test,1,a@b.test') },
    codes: ['manager_ring@2'],
    users: { 'new@b.test': { manager: null } },
    userCounts: { updated: 1, warnings: 1 },
  },
  {
    title: 'U15 a file without the column finds users by their emails',
    org: staff,
    before: [{ file: users('User Email,ID', 'a@b.test,1') }],
    files: { 'a.csv': users('User Email,User Name', 'a@b.test,A') },
    codes: ['identifier_absent@1'],
    users: { 'a@b.test': { user_name: 'A', custom: { ID: '1' } } },
    userCounts: { updated: 1, warnings: 1 },
  },
  {
    title: 'U15 a former email means its user in a file without the column, too',
    org: staff,
    before: [{ file: users('User Email,ID', 'a@b.test,1') }, { file: users('User Email,ID', 'new@b.test,1') }],
    files: {
      'a.csv': users('User Email,Manager Email', 'b@b.test,a@b.test', 'a@b.test,', 'New@b.test,'),
    },
    codes: ['identifier_absent@1', 'identifier_needed@3'],
    users: { 'b@b.test': { manager: 'new@b.test' }, 'a@b.test': null },
    userCounts: { created: 1, unchanged: 1, warnings: 1, faults: 1 },
  },
  {
    title: 'U15 the same where the email was given up in an earlier file of the run',
    org: staff,
    before: [{ file: users('User Email,ID', 'a@b.test,1') }],
    files: {
      'a.csv': users('User Email,ID', 'new@b.test,1'),
      'b.csv': users('User Email,User Name,Manager Email', 'b@b.test,,a@b.test', 'a@b.test,,', 'new@b.test,A,'),
    },
    users: {
      'b@b.test': { manager: 'new@b.test' },
      'a@b.test': null,
      'new@b.test': { user_name: 'A', custom: { ID: '1' } },
    },
    userCounts: { created: 1, updated: 2, warnings: 1, faults: 1 },
  },
  {
    title: 'U15 a file without the column, in which a swapped email means who has it now',
    org: staff,
    before: [{ file: users('User Email,ID', 'a@b.test,1', 'b@b.test,2') }],
    files: {
      'a.csv': users('User Email,ID', 'b@b.test,1', 'a@b.test,2'),
      'b.csv': users('User Email,User Name,Manager Email', 'a@b.test,Two,', 'c@b.test,,b@b.test'),
    },
    users: {
      'a@b.test': { user_name: 'Two', custom: { ID: '2' } },
      'b@b.test': { user_name: null, custom: { ID: '1' } },
      'c@b.test': { manager: 'b@b.test' },
    },
    userCounts: { created: 1, updated: 3, warnings: 1 },
  },
  {
    title:
      'U15 an email that is held between two files of one run is a former one, also of a user whom the run creates',
    org: staff,
    before: [{ file: users('User Email,ID', 'a@b.test,1') }],
    files: {
      'a.csv': users('User Email,ID', 'b@b.test,1', 'n@b.test,2'),
      'b.csv': users('User Email,ID', 'c@b.test,1', 'm@b.test,2'),
      'c.csv': users('User Email,ID,Manager Email', 'x@b.test,3,b@b.test', 'y@b.test,4,n@b.test', 'n@b.test,,'),
    },
    users: { 'x@b.test': { manager: 'c@b.test' }, 'y@b.test': { manager: 'm@b.test' }, 'n@b.test': null },
    userCounts: { created: 3, updated: 3, faults: 1 },
  },
  {
    title: 'U15 a former email that a new user of the file gets means that user',
    org: staff,
    before: [{ file: users('User Email,ID', 'a@b.test,1') }, { file: users('User Email,ID', 'b@b.test,1') }],
    files: { 'a.csv': users('User Email,ID,Manager Email', 'c@b.test,3,a@b.test', 'a@b.test,4,') },
    users: { 'c@b.test': { manager: 'a@b.test' }, 'a@b.test': { custom: { ID: '4' } } },
    userCounts: { created: 2 },
  },
  {
    title: "U15 T2 the owner of a team by a former email, and the organization's owner under a new one",
    codes: ['team_made_up@2'],
    org: { ...staff, ownerEmail: 'owner@acme.test' },
    before: [
      { file: users('User Email,ID', 'owner@acme.test,0', 'a@b.test,1') },
      { file: users('User Email,ID', 'boss@acme.test,0', 'new@b.test,1') },
    ],
    files: {
      't.csv': users('Team Name,Owner Email,Parent Team', 'Ops,a@b.test,Top', 'Law,,'),
      'u.csv': users('User Email,ID,Teams', 'new@b.test,1,Sales'),
    },
    users: { 'a@b.test': null, 'owner@acme.test': null },
    teams: {
      Ops: { owner: 'new@b.test' },
      Top: { owner: 'boss@acme.test' },
      Law: { owner: 'boss@acme.test' },
      Sales: { owner: 'boss@acme.test' },
    },
    userCounts: { updated: 1 },
    teamCounts: { created: 2, stubs: 2 },
  },
  {
    title: 'U15 G2 a stub that a refused file would have renamed somebody to stays',
    org: staff,
    before: [{ file: users('User Email,ID', 'a@b.test,1') }],
    files: {
      'u.csv': users('User Email,ID', 'new@b.test,1', ...Array.from({ length: 20 }, () => ',2')),
      't.csv': users('Team Name,Owner Email', 'Ops,new@b.test'),
    },
    refused: true,
    codes: ['too_many_faults@', ...Array.from({ length: 20 }, (_, row) => `email_missing@${row + 3}`)],
    users: { 'a@b.test': { custom: { ID: '1' } }, 'new@b.test': { custom: {} } },
    teams: { Ops: { owner: 'new@b.test' } },
    userCounts: { stubs: 1, faults: 20 },
    teamCounts: { created: 1 },
  },
  {
    title: 'F7 an alias of the organization',
    codes: ['user_made_up@2'],
    org: { options: { aliases: { 'Work Email': 'User Email', Boss: 'Manager Email' } } },
    files: { 'a.csv': users('work email,BOSS,User Name', 'a@b.test,m@b.test,A') },
    users: { 'a@b.test': { user_name: 'A', manager: 'm@b.test', custom: {} } },
    userCounts: { created: 1, stubs: 1 },
  },
  {
    title: 'F6 F7 a label and its alias are the same label twice',
    org: { options: { aliases: { 'Work Email': 'User Email' } } },
    files: { 'a.csv': users('Work Email,User Email', 'a@b.test,b@b.test') },
    refused: true,
    codes: ['label_twice@1'],
  },
  {
    title: 'F1 F7 an alias for one key column is an own column of files of the other type',
    org: { options: { aliases: { Department: 'Team Name', Email: 'User Email' } } },
    files: {
      't.csv': users('Team Name,Email', 'Sales,x@b.test'),
      'u.csv': users('User Email,Department', 'a@b.test,Ops'),
    },
    codes: ['label_unknown@1'],
    users: { 'a@b.test': { custom: { Department: 'Ops' } } },
    teams: { Sales: {} },
    userCounts: { created: 1 },
    teamCounts: { created: 1, warnings: 1 },
  },
  {
    title: 'C1 types are read from the values',
    files: {
      'a.csv': users('User Email,Badge,Remote,Start', 'a@b.test,0012,Yes,31/01/2020', 'b@b.test,7,FALSE,2020-02-01'),
    },
    users: {
      'a@b.test': { custom: { Badge: '0012', Remote: 'Yes', Start: '2020-01-31' } },
      'b@b.test': { custom: { Badge: '7', Remote: 'No', Start: '2020-02-01' } },
    },
    userCounts: { created: 2 },
  },
  {
    title: 'C1 no field takes the name of what exports write',
    files: { 'a.csv': users('User Email,STATUS', 'a@b.test,active') },
    codes: ['label_reserved@1'],
    users: { 'a@b.test': { custom: {} } },
    userCounts: { created: 1, warnings: 1 },
  },
  {
    title: 'C1 F9 no more fields than a file has room for; the identifier has room in any case',
    org: staff,
    before: [
      {
        file: users(
          `${email},${wide.map((n) => `Field ${n}`).join(',')}`,
          `a@b.test,${wide.map((n) => `v${n}`).join(',')}`,
        ),
      },
    ],
    files: { 'a.csv': users('User Email,One More,Field 7,Blank,ID', 'a@b.test,x,new,,1') },
    codes: ['too_many_fields@1'],
    users: {
      'a@b.test': {
        custom: { ...Object.fromEntries(wide.map((n) => [`Field ${n}`, `v${n}`])), 'Field 7': 'new', ID: '1' },
      },
    },
    userCounts: { updated: 1, warnings: 1 },
  },
  {
    title: 'C2 a label matches without case and spacing',
    before: [{ file: users('User Email,Cost Center', 'a@b.test,X1') }],
    files: { 'a.csv': users('User Email,COST  center', 'a@b.test,X2') },
    users: { 'a@b.test': { custom: { 'Cost Center': 'X2' } } },
    userCounts: { updated: 1 },
  },
  {
    title: 'C3 a value that does not fit',
    before: [{ file: users('User Email,Remote,Start', 'a@b.test,Yes,2020-01-31') }],
    files: { 'a.csv': users('User Email,Remote,Start', 'a@b.test,often,soon') },
    codes: ['field_mismatch@2', 'field_mismatch@2'],
    users: { 'a@b.test': { custom: { Remote: 'Yes', Start: '2020-01-31' } } },
    userCounts: { unchanged: 1, warnings: 2 },
  },
  {
    title: 'C4 ambiguous dates become text',
    files: { 'a.csv': users('User Email,Start', 'a@b.test,01/02/2020') },
    codes: ['field_ambiguous@1'],
    users: { 'a@b.test': { custom: { Start: '01/02/2020' } } },
    userCounts: { created: 1, warnings: 1 },
  },

  {
    title: 'T1 created, updated, blank keeps, omitted stays',
    codes: ['user_made_up@2'],
    before: [{ file: users('Team Name,Team Type,Owner Email', 'A,Region,a@b.test', 'B,Squad,') }],
    files: { 't.csv': users('Team Name,Team Type,Owner Email', ' a ,,b@b.test', 'C,,') },
    teams: {
      A: { type: 'Region', owner: 'b@b.test' },
      B: { type: 'Squad', owner: 'owner@acme.test' },
      C: { type: null, owner: 'owner@acme.test' },
    },
    userCounts: { stubs: 1 },
    teamCounts: { created: 1, updated: 1 },
  },
  {
    title: 'T1 a name twice, or none',
    files: { 't.csv': users('Team Name,Team Type', 'A,x', 'a,y', ',z', 'B,x', 'B,x') },
    codes: ['team_twice@2', 'team_twice@3', 'team_missing@4'],
    teams: { A: null, B: {} },
    teamCounts: { created: 1, faults: 3 },
  },
  {
    title: 'T1 T3 names that no team can have',
    files: { 't.csv': users('Team Name,Parent Team', `${'x'.repeat(256)},`, `A,${'y'.repeat(256)}`) },
    codes: ['team_long@2', 'parent_long@3'],
    teams: { A: { parent: null } },
    teamCounts: { created: 1, faults: 1, warnings: 1 },
  },
  {
    title: 'T2 an unknown owner is created, an invalid one ignored',
    files: { 't.csv': users('Team Name,Owner Email', 'A,New@b.test', 'B,nobody') },
    codes: ['user_made_up@2', 'owner_invalid@3'],
    users: { 'New@b.test': { account_type: 'Regular' } },
    teams: { A: { owner: 'New@b.test' }, B: { owner: 'owner@acme.test' } },
    userCounts: { stubs: 1 },
    teamCounts: { created: 2, warnings: 1 },
  },
  {
    title: 'T3 parents in any order, unknown ones created',
    codes: ['team_made_up@3', 'team_made_up@4'],
    files: { 't.csv': users('Team Name,Parent Team', 'Leaf,Middle', 'Middle,Top', 'Other,Elsewhere') },
    teams: {
      Leaf: { parent: 'Middle' },
      Middle: { parent: 'Top' },
      Top: { parent: null },
      Other: { parent: 'Elsewhere' },
    },
    teamCounts: { created: 3, stubs: 2 },
  },
  {
    title: 'T3 a ring, and oneself',
    files: { 't.csv': users('Team Name,Parent Team', 'A,B', 'B,A', 'C,c') },
    codes: ['parent_ring@3', 'parent_self@4'],
    teams: { A: { parent: 'B' }, B: { parent: null }, C: { parent: null } },
    teamCounts: { created: 3, warnings: 2 },
  },
  {
    title: 'G2 more than half of at least twenty rows faulty',
    files: { 'a.csv': users(email, ...Array.from({ length: 21 }, (_, n) => `bad ${n}`), 'a@b.test') },
    refused: true,
    codes: ['too_many_faults@', ...Array.from({ length: 21 }, (_, n) => `email_invalid@${n + 2}`)],
    users: { 'a@b.test': null },
    userCounts: { faults: 21 },
  },
];
