/** More cases of the import rules: values that mean nothing or never, addresses, words of a status, and columns that are there twice. */
import type { Org } from '../../db/control/orgs.js';
import { csv } from '../support/company.js';
import type { Case } from './cases.js';

const users = (...rows: string[]) => csv(...(rows as [string]));
const day = 86_400_000;
const march = (date: number) => Date.UTC(2026, 2, date) - 3_600_000;
const noon = Date.UTC(2026, 2, 10, 11);
const words: Partial<Org> = {
  options: { statusWords: { active: ['Active', 'On Leave'], deactivated: ['Terminated', 'Inactive'] } },
};
const led: Partial<Org> = { options: { identifier: 'ID', managerIdentifier: 'Manager ID' } };
const header = (more: string) => `User Email,${more}`;

export const valueCases: Case[] = [
  {
    title: 'U6a null words are blank cells: one notice for each column, and nothing is made up',
    before: [{ file: users(header('Teams,User Account Type'), 'a@b.test,Ops,Observer') }],
    files: {
      'a.csv': users(
        header('Manager Email,Teams,User Account Type,Is Org Admin,Deactivation Date'),
        'a@b.test,N/A,NULL,#REF!,-,none',
        'b@b.test,nil,#N/A,n/a,Null,00/00/0000',
        'c@b.test,(null),"Ops, N/A",#NAME?,\u2013,0000-00-00 00:00:00',
      ),
    },
    codes: Array.from({ length: 5 }, () => 'null_value@2'),
    users: {
      'a@b.test': { manager: null, teams: ['Ops'], account_type: 'Observer', is_admin: 0, deactivation_date: null },
      'b@b.test': { manager: null, teams: [], account_type: 'Regular', deactivation_date: null },
      'c@b.test': { teams: ['Ops'], deactivation_date: null, status: 'active' },
      'N/A': null,
    },
    teams: { 'N/A': null, NULL: null, '#N/A': null },
    userCounts: { created: 2, unchanged: 1 },
  },
  {
    title: 'U6a T1 null words in a teams file',
    files: { 't.csv': users('Team Name,Owner Email,Parent Team,Team Type', 'Ops,N/A,none,-', 'N/A,,,') },
    codes: ['null_value@2', 'null_value@2', 'null_value@2', 'null_value@3', 'team_missing@3'],
    teams: { Ops: { owner: 'owner@acme.test', parent: null, type: null }, none: null, 'N/A': null },
    teamCounts: { created: 1, faults: 1 },
  },
  {
    title: 'U6a people may be called Null, and text fields take every word',
    before: [{ file: users(header('Office'), 'a@b.test,Rome') }],
    files: {
      'a.csv': users(header('User Name,First Name,Last Name,Office'), 'a@b.test,Null,None,Null,N/A', 'b@b.test,-,,,-'),
    },
    users: {
      'a@b.test': { user_name: 'Null', first_name: 'None', last_name: 'Null', custom: { Office: 'N/A' } },
      'b@b.test': { user_name: '-', custom: { Office: '-' } },
    },
    userCounts: { created: 1, updated: 1 },
  },
  {
    title: 'C1 U6a null words do not decide the type of a new field, and are blank in it',
    files: {
      'a.csv': users(
        header('Start,Remote,Badge,Nothing'),
        'a@b.test,N/A,-,N/A,N/A',
        'b@b.test,2020-01-31,Yes,007,',
        'c@b.test,00/00/0000,no,8,nil',
      ),
    },
    codes: ['null_value@2', 'null_value@2', 'null_value@2'],
    users: {
      'a@b.test': { custom: { Badge: 'N/A' } },
      'b@b.test': { custom: { Start: '2020-01-31', Remote: 'Yes', Badge: '007' } },
      'c@b.test': { custom: { Remote: 'No', Badge: '8' } },
    },
    userCounts: { created: 3 },
  },
  {
    title: 'C3 U6a null words in fields of dates and of Yes or No: a notice, no warning',
    before: [{ file: users(header('Start,Remote'), 'a@b.test,2020-01-31,Yes') }],
    files: { 'a.csv': users(header('Start,Remote'), 'a@b.test,N/A,N/A', 'b@b.test,-,-') },
    codes: ['null_value@2', 'null_value@2'],
    users: { 'a@b.test': { custom: { Start: '2020-01-31', Remote: 'Yes' } }, 'b@b.test': { custom: {} } },
    userCounts: { created: 1, unchanged: 1 },
  },
  {
    title: 'U6a the words of the organization replace the usual ones',
    org: { options: { nullWords: ['unknown'] } },
    files: { 'a.csv': users(header('Manager Email,Teams'), 'a@b.test,Unknown,None') },
    codes: ['null_value@2'],
    users: { 'a@b.test': { manager: null, teams: ['None'] } },
    userCounts: { created: 1 },
    teamCounts: { stubs: 1 },
  },
  {
    title: 'U6a no null words at all',
    org: { options: { nullWords: [] } },
    files: { 'a.csv': users(header('Manager Email'), 'a@b.test,N/A') },
    codes: ['manager_invalid@2'],
    userCounts: { created: 1, warnings: 1 },
  },
  {
    title: 'U15 U6a a null word is no identifier',
    org: { options: { identifier: 'ID' } },
    files: { 'a.csv': users(header('ID'), 'a@b.test,N/A', 'b@b.test,N/A', 'c@b.test,1') },
    codes: ['null_value@2'],
    users: { 'a@b.test': { custom: {} }, 'c@b.test': { custom: { ID: '1' } } },
    userCounts: { created: 3 },
  },
  {
    title: 'C1 a column that becomes a text because of few cells says which one is first',
    files: {
      'a.csv': users(
        header('Start,Remote,Mixed'),
        'a@b.test,2020-01-31,Yes,x',
        'b@b.test,soon,No,2020-01-31',
        'c@b.test,2020-02-01,often,y',
        'd@b.test,2020-02-02,Yes,Yes',
        'e@b.test,2020-02-03,Yes,z',
        'f@b.test,later,Yes,',
      ),
    },
    codes: ['field_text@3', 'field_text@4'],
    users: { 'a@b.test': { custom: { Start: '2020-01-31', Remote: 'Yes', Mixed: 'x' } } },
    userCounts: { created: 6, warnings: 2 },
  },
  {
    title: 'U12a dates from 2200 on mean no end: nothing is planned, with one notice',
    files: {
      'a.csv': users(
        header('Deactivation Date'),
        'a@b.test,12/31/9999',
        'b@b.test,01/01/3000',
        'c@b.test,2200-01-01',
        'd@b.test,9999-12-31T23:59:59Z',
        'e@b.test,2199-12-31',
        'f@b.test,03/04/2999',
      ),
    },
    codes: ['date_no_end@2'],
    users: {
      'a@b.test': { status: 'active', deactivate_at: null, deactivation_date: '9999-12-31' },
      'b@b.test': { status: 'active', deactivate_at: null },
      'd@b.test': { status: 'active', deactivate_at: null },
      'e@b.test': { status: 'active', deactivation_date: '2199-12-31' },
      'f@b.test': { deactivate_at: null, deactivation_date: '9999-12-31' },
    },
    userCounts: { created: 6, scheduled: 1 },
  },
  {
    title: 'U12a no end cancels a plan and brings back whom an import had deactivated; also where no date shows the order',
    before: [{ file: users(header('Deactivation Date'), 'a@b.test,2026-03-20', 'b@b.test,2026-03-01', 'c@b.test,') }],
    files: { 'a.csv': users(header('Deactivation Date'), 'a@b.test,01/02/9999', 'b@b.test,01/02/9999', 'c@b.test,') },
    codes: ['date_no_end@2'],
    users: {
      'a@b.test': { status: 'active', deactivate_at: null },
      'b@b.test': { status: 'active', deactivate_at: null, deactivated_by: null },
    },
    userCounts: { updated: 2, unchanged: 1 },
  },
  {
    title: 'U12a U10 no end does not deactivate the last admin, and keeps another one',
    before: [{ file: users(header('Is Org Admin'), 'a@b.test,Yes') }],
    files: {
      'a.csv': users(header('Is Org Admin,Deactivation Date'), 'owner@acme.test,No,', 'a@b.test,,12/31/9999'),
    },
    codes: ['date_no_end@3'],
    users: { 'a@b.test': { status: 'active', is_admin: 1 }, 'owner@acme.test': { is_admin: 0 } },
    userCounts: { updated: 2 },
  },
  {
    title: 'U12a dates before 1970 are blank cells, and keep a plan; custom fields have them',
    before: [{ file: users(header('Deactivation Date'), 'a@b.test,2026-03-20') }],
    files: {
      'a.csv': users(
        header('Deactivation Date,Born'),
        'a@b.test,01/01/1900,1955-01-31',
        'b@b.test,12/31/1969,1969-12-31',
        'c@b.test,00.00.0000,',
        'd@b.test,0001-01-01T00:00:00,',
        'e@b.test,01/02/1753,',
        'f@b.test,1970-01-01,',
      ),
    },
    codes: ['null_value@2'],
    users: {
      'a@b.test': { status: 'active', deactivate_at: march(20), custom: { Born: '1955-01-31' } },
      'b@b.test': { status: 'active', deactivation_date: null },
      'd@b.test': { status: 'active', deactivation_date: null },
      'f@b.test': { status: 'deactivated', deactivation_date: '1970-01-01' },
    },
    userCounts: { created: 5, updated: 1, deactivated: 1 },
  },
  {
    title: 'U12a U14 a blank date does not decide the order of the others',
    files: { 'a.csv': users(header('Deactivation Date'), 'a@b.test,12/30/1899', 'b@b.test,05/06/2026') },
    codes: ['null_value@2', 'date_ambiguous@3'],
    userCounts: { created: 2, warnings: 1 },
  },
  {
    title: 'U12a a past date that moves every day deactivates 24 hours after the first time',
    before: [
      { file: users('User Email', 'a@b.test') },
      { file: users(header('Deactivation Date'), 'a@b.test,2026-03-09'), days: 0.9 },
    ],
    files: { 'a.csv': users(header('Deactivation Date'), 'a@b.test,2026-03-10') },
    users: { 'a@b.test': { status: 'active', deactivate_at: noon + day, deactivation_date: '2026-03-10' } },
    userCounts: { updated: 1, scheduled: 1 },
  },
  {
    title: 'U12a a planned date that moves into the past counts from then on',
    before: [{ file: users(header('Deactivation Date'), 'a@b.test,2026-03-20'), days: 1 }],
    files: { 'a.csv': users(header('Deactivation Date'), 'a@b.test,2026-03-09') },
    users: { 'a@b.test': { status: 'active', deactivate_at: noon + 2 * day } },
    userCounts: { updated: 1, scheduled: 1 },
  },
  {
    title: 'U1 addresses that are no addresses: a fault each',
    files: {
      'a.csv': users(
        'User Email',
        ...['tom@acme', 'none@none', "'tom@b.test", 'tom@b.test.', 'tom@b..test', 'to..m@b.test', 'mailto:tom@b.test'],
        ...['<tom@b.test>', 'Tom <tom@b.test>', '"tom@b.test,"', 'tom@b.test;', '"tom@b.test, ann@b.test"'],
        ...['tom @b.test', 'tom\u00a0x@b.test', 'tom@b.test ann@b.test', '@b.test', 'tom@', 'tom@-b.test', "'a@b.test'"],
      ),
    },
    codes: Array.from({ length: 19 }, (_, at) => `email_invalid@${at + 2}`),
    userCounts: { faults: 19 },
  },
  {
    title: 'U8 T2 managers and owners without a whole address: a warning, and nobody is made up',
    files: {
      'a.csv': users(
        header('Manager Email,Manager'),
        'a@b.test,tom@acme,Tom',
        "b@b.test,'tom@b.test,Tom",
        'c@b.test,none@none,',
        '"d@b.test",mailto:tom@b.test,',
        'e@b.test,"x@b.test; y@b.test",',
      ),
      't.csv': users('Team Name,Owner Email', 'Ops,tom@acme'),
    },
    codes: [2, 3, 4, 5, 6].map((line) => `manager_invalid@${line}`),
    users: { 'a@b.test': { manager: null }, 'tom@acme': null, 'none@none': null, "'tom@b.test": null },
    teams: { Ops: { owner: 'owner@acme.test' } },
    userCounts: { created: 5, warnings: 5 },
    teamCounts: { created: 1, warnings: 1 },
  },
  {
    title: 'U1 users who have such an address already keep it, also as managers and owners',
    org: { ownerEmail: 'owner@acme' },
    files: {
      'a.csv': users(header('User Name,Manager Email'), 'OWNER@acme,O,', 'a@b.test,A,Owner@acme', 'tom@acme,T,'),
      't.csv': users('Team Name,Owner Email', 'Ops,owner@acme'),
    },
    codes: ['email_invalid@4'],
    users: { 'owner@acme': { user_name: 'O' }, 'a@b.test': { manager: 'owner@acme' } },
    teams: { Ops: { owner: 'owner@acme' } },
    userCounts: { created: 1, updated: 1, faults: 1 },
    teamCounts: { created: 1 },
  },
  {
    title: 'U1 an organization whose addresses have no dot',
    org: { options: { requireDottedDomain: false } },
    files: { 'a.csv': users(header('Manager Email'), 'tom@acme,ann@acme', "'x@acme,") },
    codes: ['email_invalid@3'],
    users: { 'tom@acme': { manager: 'ann@acme' } },
    userCounts: { created: 1, stubs: 1, faults: 1 },
  },
  {
    title: 'U12b words of a status deactivate and activate',
    org: words,
    before: [
      { file: users(header('Status'), 'a@b.test,Active', 'b@b.test,on  LEAVE', 'c@b.test,Inactive', 'd@b.test,active') },
    ],
    files: {
      'a.csv': users(
        header('Status'),
        'a@b.test,terminated',
        'b@b.test,',
        'c@b.test,Active',
        'd@b.test,deactivated',
        'e@b.test,Terminated',
        'f@b.test,N/A',
      ),
    },
    codes: ['null_value@7'],
    users: {
      'a@b.test': { status: 'deactivated', deactivated_by: 'import', custom: {} },
      'b@b.test': { status: 'active' },
      'c@b.test': { status: 'active', deactivated_by: null, deactivated_at: null },
      'd@b.test': { status: 'deactivated' },
      'e@b.test': { status: 'deactivated' },
      'f@b.test': { status: 'active' },
    },
    userCounts: { created: 2, updated: 3, unchanged: 1, deactivated: 3 },
  },
  {
    title: 'U12b a word that has no meaning is a warning in its row',
    org: words,
    files: { 'a.csv': users(header('Status'), 'a@b.test,Pending', 'b@b.test,Retired', 'c@b.test,Active') },
    codes: ['status_unknown@2', 'status_unknown@3'],
    users: { 'a@b.test': { status: 'active' }, 'b@b.test': { status: 'active' } },
    userCounts: { created: 3, warnings: 2 },
  },
  {
    title: 'U12b a date in the row decides; one notice where the two contradict each other',
    org: words,
    before: [{ file: users('User Email', 'a@b.test', 'b@b.test', 'c@b.test', 'd@b.test') }],
    files: {
      'a.csv': users(
        header('Status,Deactivation Date'),
        'a@b.test,Terminated,2026-03-20',
        'b@b.test,Active,2026-03-10',
        'c@b.test,Terminated,12/31/9999',
        'd@b.test,Terminated,N/A',
      ),
    },
    codes: ['status_dated@2', 'date_no_end@4', 'null_value@5'],
    users: {
      'a@b.test': { status: 'active', deactivate_at: march(20) },
      'b@b.test': { status: 'deactivated' },
      'c@b.test': { status: 'deactivated', deactivation_date: null },
      'd@b.test': { status: 'deactivated' },
    },
    userCounts: { updated: 4, deactivated: 3, scheduled: 1 },
  },
  {
    title: 'U12b U10 the last admin is not deactivated by a status',
    org: words,
    files: { 'a.csv': users(header('Status'), 'owner@acme.test,Terminated', 'a@b.test,Active') },
    codes: ['last_admin@2'],
    users: { 'owner@acme.test': { status: 'active' } },
    userCounts: { created: 1, unchanged: 1, warnings: 1 },
  },
  {
    title: 'U12b U2 rows that differ in the status only are faults',
    org: words,
    files: { 'a.csv': users(header('Status'), 'a@b.test,Active', 'a@b.test,Terminated') },
    codes: ['email_twice@2', 'email_twice@3'],
    userCounts: { faults: 2 },
  },
  {
    title: 'F7 U12b another spelling and another name of the column',
    org: { options: { ...words.options, aliases: { 'Worker Status': 'Status' } } },
    files: {
      'a.csv': users(header('WORKER STATUS'), 'a@b.test,Inactive'),
      'b.csv': users(header('status'), 'b@b.test,Inactive'),
    },
    users: { 'a@b.test': { status: 'deactivated', custom: {} }, 'b@b.test': { status: 'deactivated', custom: {} } },
    userCounts: { created: 2, deactivated: 2, warnings: 1 },
  },
  {
    title: 'U8b managers are found by their identifiers, in any row order, also without their emails',
    org: led,
    before: [{ file: users(header('ID'), 'top@b.test,007') }],
    files: {
      'a.csv': users(
        header('ID,Manager ID'),
        'a@b.test,1,2',
        'b@b.test,2,007',
        'c@b.test,3,99',
        'd@b.test,4,4',
        'e@b.test,5,N/A',
      ),
    },
    codes: ['manager_unknown@4', 'manager_self@5', 'null_value@6'],
    users: {
      'a@b.test': { manager: 'b@b.test', custom: { ID: '1', 'Manager ID': '2' } },
      'b@b.test': { manager: 'top@b.test' },
      'c@b.test': { manager: null },
      'd@b.test': { manager: null },
    },
    userCounts: { created: 5, warnings: 2 },
  },
  {
    title: 'U8b beside Manager Email: the address where no identifier is known; nothing where they differ',
    org: led,
    before: [{ file: users(header('ID'), 'x@b.test,1', 'y@b.test,2') }],
    files: {
      'a.csv': users(
        header('Manager ID,Manager Email,Manager'),
        'a@b.test,1,x@b.test,X',
        'b@b.test,2,x@b.test,X',
        'c@b.test,9,new@b.test,N',
        'd@b.test,,y@b.test,Y',
        'e@b.test,1,stub@b.test,S',
      ),
    },
    codes: ['identifier_absent@1', 'manager_conflict@3', 'manager_unknown@4', 'manager_conflict@6'],
    users: {
      'a@b.test': { manager: 'x@b.test' },
      'b@b.test': { manager: null },
      'c@b.test': { manager: 'new@b.test' },
      'd@b.test': { manager: 'y@b.test' },
      'e@b.test': { manager: null },
      'stub@b.test': null,
    },
    userCounts: { created: 5, stubs: 1, warnings: 4 },
  },
  {
    title: 'U8b U15 the identifier means the same user after a rename, and finds one who swaps emails',
    org: led,
    before: [{ file: users(header('ID'), 'x@b.test,1', 'y@b.test,2') }],
    files: { 'a.csv': users(header('ID,Manager ID'), 'y@b.test,1,', 'x@b.test,2,', 'a@b.test,3,1') },
    users: { 'a@b.test': { manager: 'y@b.test' } },
    userCounts: { created: 1, updated: 2 },
  },
  {
    title: 'U8b U9 a ring by identifiers',
    org: led,
    files: { 'a.csv': users(header('ID,Manager ID'), 'a@b.test,1,2', 'b@b.test,2,1') },
    codes: ['manager_ring@3'],
    users: { 'a@b.test': { manager: 'b@b.test' }, 'b@b.test': { manager: null } },
    userCounts: { created: 2, warnings: 1 },
  },
  {
    title: 'F6 a column twice with equal or empty cells is one column',
    files: {
      'a.csv': users(
        'User Email,Office,User Name,office,USER EMAIL,Office',
        'a@b.test,Rome,A,Rome,a@b.test,',
        'b@b.test,,B,Oslo,,',
        ',,C,,c@b.test,Bern',
        'd@b.test,,D,,,',
      ),
    },
    codes: ['label_repeated@1', 'label_repeated@1', 'label_repeated@1'],
    users: {
      'a@b.test': { custom: { Office: 'Rome' } },
      'b@b.test': { custom: { Office: 'Oslo' } },
      'c@b.test': { custom: { Office: 'Bern' } },
      'd@b.test': { custom: {} },
    },
    userCounts: { created: 4, warnings: 3 },
  },
  {
    title: 'F6 a column twice with different cells: refused, also where the other rows are known',
    before: [{ file: users('User Email,Office,Office', 'a@b.test,Rome,Rome', 'b@b.test,Oslo,') }],
    files: { 'a.csv': users('User Email,Office,Office', 'a@b.test,Rome,Rome', 'b@b.test,Oslo,', 'c@b.test,Bern,Rome') },
    refused: true,
    codes: ['label_twice@1'],
    users: { 'c@b.test': null },
  },
  {
    title: 'F6 T1 the same in a teams file, where an alias is the twin',
    org: { options: { aliases: { Department: 'Team Name' } } },
    files: { 't.csv': users('Department,Team Name,Team Type', 'Ops,Ops,x', 'Law,,y') },
    codes: ['label_repeated@1'],
    teams: { Ops: { type: 'x' }, Law: { type: 'y' } },
    teamCounts: { created: 2, warnings: 1 },
  },
  {
    title: 'F1 a title above the header, and a whole row in quotes: refused for what it is',
    files: { 'a.csv': users('Staff list 2026', 'User Email,User Name', 'a@b.test,A') },
    refused: true,
    codes: ['no_key_column@1'],
  },
  {
    title: 'F1 F8 JSON, and a workbook read as Windows-1252, are named and not decoded',
    org: { options: { encoding: 'windows-1252' } },
    files: { 'a.csv': Buffer.from('377abcaf271c0004e3', 'hex') },
    refused: true,
    codes: ['not_csv@'],
  },
];
