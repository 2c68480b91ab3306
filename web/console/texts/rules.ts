/** Texts of the page Help that depend on an organization's settings: the meaning of its rows, and of its columns. */
import type { RowRules } from '../../../operations/rowrules.js';
import { amount, city } from './words.js';

const quote = (label: string) => `"${label}"`;
const listed = (labels: readonly string[]) => labels.map(quote).join(', ');

/** Sentences, the most important ones first. */
export function ruleList(rules: RowRules): string[] {
  return [
    ...howFound(rules),
    ...(rules.needsDot ? [] : ['An email needs no dot after the @: tom@acme is an email too.']),
    ...howEmptied(rules),
    ...whoLeaves(rules),
    teamsOf[rules.teams],
    ...(rules.managerIdentifier === null ? [] : [howManaged(rules.managerIdentifier, rules.identifier!)]),
    missing[rules.createMissing],
    ...(rules.ownedByPeople.length === 0
      ? []
      : [`A file does not replace a value of ${listed(rules.ownedByPeople)} that a person has set.`]),
    ...(rules.filledOnce.length === 0 ? [] : [`A file fills ${listed(rules.filledOnce)} only while it is empty.`]),
    dates[rules.dateFormat],
    'A problem in one cell is reported, and the rest of the row is imported. A row without a valid email is rejected.',
    'An import that would change unusually much waits for a decision.',
  ];
}

function howFound({ identifier }: RowRules): string[] {
  const never = 'No file deletes a person.';
  if (identifier === null) return [`A person is found by the email; an unknown email creates a person. ${never}`];
  const id = quote(identifier);
  return [
    `A person is found by ${id}: a known ${id} with a new email changes the email of the person. A row without ${id}, and a person who has none yet, are found by the email.`,
    `A row whose ${id} and email are both unknown creates a person. One whose ${id} and email belong to two people is rejected, unless the file gives the other person a new email. ${never}`,
  ];
}

function howEmptied({ nullWords, clearToken, identifier }: RowRules): string[] {
  const never = ['User Email', 'User Account Type', 'Is Org Admin', ...(identifier === null ? [] : [identifier])];
  const words = nullWords === null ? ', such as N/A, NULL, none or -,' : ` (${nullWords.join(', ')})`;
  const kept =
    'An empty cell leaves the value as it is, and so does a column that the file does not have.' +
    (nullWords?.length === 0
      ? ''
      : ` A word that means "no value"${words} is an empty cell, except in names and texts.`);
  if (clearToken === null) return [kept, 'No cell empties a value.'];
  return [kept, `A cell with the text ${clearToken} empties the value. ${listed(never)} can not be emptied.`];
}

function whoLeaves({ omittedFiles: files, statusWords, timeZone }: RowRules): string[] {
  const day = `the start of its day (${city(timeZone)})`;
  const given =
    statusWords === null
      ? `To deactivate a person, give a Deactivation Date: it applies from ${day}. An empty one brings nobody back.`
      : `To deactivate a person, give a Deactivation Date, which applies from ${day}, or a word in "Status". A date decides before the word.`;
  const status = statusWords === null ? [] : [wordsOf(statusWords)];
  if (files === null) return [`A person who is not in the file stays unchanged. ${given}`, ...status];
  const inARow = files === 1 ? 'a full file' : `${amount(files)} full files in a row`;
  return [
    `A person whom files have named, and who is missing from ${inARow}, is deactivated. A full file has all people; it is in the folder /full, or its name ends in .full.csv. Missing from another file means nothing. A row in a later file activates the person again.`,
    given,
    ...status,
  ];
}

function wordsOf(words: NonNullable<RowRules['statusWords']>): string {
  const mean = (['active', 'deactivated'] as const).flatMap((status) =>
    words[status].length === 0 ? [] : [`These words of "Status" mean ${status}: ${words[status].join(', ')}.`],
  );
  return [
    ...mean,
    'The words active and deactivated are always read. Any other word leaves the status as it is, and is reported.',
  ].join(' ');
}

const teamsOf = {
  add: 'A cell of "Teams" adds the person to its teams; the person leaves none.',
  replace: 'A cell of "Teams" has all teams of the person: the person joins its teams, and leaves all others.',
} as const;

function howManaged(manager: string, identifier: string): string {
  return `The manager of a person is the one whose ${quote(identifier)} is in ${quote(manager)}; where that is empty, or no person has it, "Manager Email" counts.`;
}

const missing = {
  yes: 'A manager, an owner or a team that only a cell names is created. Each is listed in the problems of the import: look there for mistyped ones.',
  no: 'A cell that names a manager, an owner or a team that does not exist is not used, and reported.',
  hold: 'A file that names managers, owners or teams that do not exist waits for a decision before they are created.',
} as const;

const certain = 'The form yyyy-mm-dd can only be read in one way.';
const dates = {
  auto: `Dates: ${certain} Whether 03/04/2027 is in March or April is found out from the other dates of the column; where they do not show it, such a cell is not used.`,
  mdy: `Dates such as 03/04/2027 have the month first: this one is 4 March. ${certain}`,
  dmy: `Dates such as 03/04/2027 have the day first: this one is 3 April. ${certain}`,
} as const;

/** The columns of users files and teams files with their meanings. */
export function columnsOf(rules: RowRules): { users: [label: string, meaning: string][]; teams: [string, string][] } {
  const { identifier, managerIdentifier, teams, statusWords } = rules;
  const isFound = identifier === null ? '' : '; it may change';
  return {
    users: [
      ['User Email', `Email; every row needs it${isFound}`],
      ...(identifier === null
        ? []
        : [[identifier, 'The same for a person for ever, such as a number'] as [string, string]]),
      ['User Name', 'Name as it is shown'],
      ['First Name', 'First name'],
      ['Last Name', 'Last name'],
      ['Manager', 'Name of the manager'],
      ['Manager Email', 'Email of the manager'],
      ...(managerIdentifier === null
        ? []
        : [[managerIdentifier, `${quote(identifier!)} of the manager`] as [string, string]]),
      ['Teams', `Names of ${teams === 'add' ? 'teams' : 'all teams of the person'}, separated by commas`],
      ['User Account Type', 'Regular or Observer'],
      ['Is Org Admin', 'Yes or No'],
      ...(statusWords === null ? [] : [['Status', 'A word that says if the person is active'] as [string, string]]),
      ['Deactivation Date', 'Day from whose start the person is deactivated'],
    ],
    teams: [
      ['Team Name', 'Name; every row needs it'],
      ['Owner Email', 'Email of the owner'],
      ['Parent Team', 'Team above it'],
      ['Team Type', 'Any text'],
    ],
  };
}

export const identifies = { person: 'identifies the person', team: 'identifies the team' };
