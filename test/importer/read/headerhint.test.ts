/** What the refusal of a header without a key column advises (rules F1, F7a). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hintFor } from '../../../importer/read/headerhint.js';
import { wordingOf } from '../../../importer/read/labels.js';

const wording = wordingOf({ id: 'acme', options: {} }, []);
const row = (line: number, text: string) => ({ line, cells: text.split(',') });
const hint = (header: string, ...rows: string[]) =>
  hintFor(
    row(1, header),
    rows.map((text, at) => row(at + 2, text)),
    wording,
  );

/** Headers as the vendors export them, and the column that holds the users' addresses; null: it is not certain. */
const vendors: readonly [string, string | null][] = [
  ['Employee ID,Legal Name,Email - Primary Work,Manager', 'Email - Primary Work'],
  ['Worker,Primary Work Email,Supervisory Organization', 'Primary Work Email'],
  ['Employee_ID,Preferred Name,Email - Work,Email - Home', 'Email - Work'],
  ['Worker,Primary Work Email Address,Home Email Address', 'Primary Work Email Address'],
  ['User ID,First Name,Last Name,Business Email,Personal Email', 'Business Email'],
  ['USERID,STATUS,Email Information Email Address,Business Email Address', 'Business Email Address'],
  ['Associate ID,Legal First Name,Work Contact: Work Email', 'Work Contact: Work Email'],
  ['Position ID,Associate Email,Reports To Email', 'Associate Email'],
  ['Employee Number,First Name,Work E-mail,Supervisor E-mail', 'Work E-mail'],
  ['Emp No,Name,Email Address,Supervisor Email Address', 'Email Address'],
  ['Employee #,Last name - First name,Work Email,Home Email', 'Work Email'],
  ['id,displayName,workEmail,supervisorEmail', 'workEmail'],
  ['Employee,Work email,Personal email,Manager email', 'Work email'],
  ['Full name,Work Email Address,Department', 'Work Email Address'],
  ['login,firstName,lastName,email,secondEmail', 'email'],
  ['displayName,givenName,surname,mail,jobTitle', 'mail'],
  ['userPrincipalName,displayName,mail', 'mail'],
  ['First Name [Required],Last Name [Required],Email Address [Required]', 'Email Address [Required]'],
  ['primaryEmail,name.fullName,suspended', 'primaryEmail'],
  ['Name,Email,Manager Email,Department', 'Email'],
  ['Full Name,Email,Manager,Start Date', 'Email'],
  ['Employee Email,Employee Name,Manager Email', 'Employee Email'],
  ['Participant Email,Participant Name', 'Participant Email'],
  ['Company Email,Personal Email', 'Company Email'],
  ['Corporate Email,Name', 'Corporate Email'],
  ['Office Email,Name', 'Office Email'],
  ['Official Email,Alternate Email', 'Official Email'],
  ['employee_email,manager_email', 'employee_email'],
  ['user_email,name', 'user_email'],
  ['work_email,name', 'work_email'],
  ['email_address,full_name', 'email_address'],
  ['Email ID,Name', 'Email ID'],
  ['Personalnummer,Nachname,Vorname,E-Mail-Adresse', 'E-Mail-Adresse'],
  ['Personalnummer,Name,Geschäftliche E-Mail', 'Geschäftliche E-Mail'],
  ['PersNr,Name,Dienstliche E-Mail,Private E-Mail', 'Dienstliche E-Mail'],
  ['Nom,Prénom,Adresse e-mail', 'Adresse e-mail'],
  ['Nom,Courriel', 'Courriel'],
  ['Nombre,Correo electrónico', 'Correo electrónico'],
  ['Nome,Indirizzo e-mail', 'Indirizzo e-mail'],
  ['Naam,E-mailadres', 'E-mailadres'],
  ['Name,Department', null],
  ['Name,Manager Email', null],
  ['Name,Personal Email', null],
  ['userPrincipalName,displayName', null],
  ['Team,Owner', null],
];

test('F7a the hint names the column of the addresses as HR systems name it, with the command, or says nothing', () => {
  for (const [header, label] of vendors)
    assert.equal(
      hint(header),
      label === null
        ? ''
        : `: the column "${label}" has the addresses. Rename it to "User Email", or ask your operator to run: dropslot orgs set acme aliases="${label}=User Email"`,
      header,
    );
});

test('F7a the values of the first rows decide', () => {
  assert.match(hint('userPrincipalName,mail', 'a@b.test,', 'c@b.test,'), /"userPrincipalName" has/);
  assert.match(hint('Email,Contact', 'yes,a@b.test', 'no,c@b.test'), /"Contact" has/);
  assert.equal(hint('Email,Name', 'yes,Ann'), '');
  assert.equal(hint('Name,Manager Email', 'Ann,m@b.test'), '');
  assert.equal(hint('Name,X,Y', 'Ann,a@b.test,b@b.test'), '');
});

test('F7a the command keeps the aliases that the organization has, and is not offered where it would not work', () => {
  const known = wordingOf({ id: 'acme', options: { aliases: { Boss: 'Manager Email' } } }, []);
  assert.match(hintFor(row(1, 'Email'), [], known), /aliases="boss=Manager Email; Email=User Email"$/);
  for (const label of ['E=mail', 'a;b', '$(x)', '`x`'])
    assert.match(hint(`Name,${label}`, 'Ann,a@b.test'), /Rename it to "User Email"$/);
});

test('F1 what hides the column names is named', () => {
  const only = (cell: string) => hintFor({ line: 1, cells: [cell] }, [], wording);
  assert.match(only('User Email,User Name'), /in quotes as a whole/);
  assert.match(only('User Email^User Name'), /separated by "\^"/);
  assert.match(only('User Email~User Name'), /separated by "~"/);
  assert.match(only('User Email:User Name'), /separated by colons/);
  assert.match(only('User Email\u0001User Name'), /control character 01/);
  assert.match(only('User Email   User Name'), /several spaces/);
  assert.match(hint('Staff of March,', 'User Email,User Name'), /on line 2, below a title/);
  assert.match(hint('# made by HR', 'User Email,User Name'), /on line 2, below comments/);
  assert.match(hint('ann@b.test,Ann', 'bob@b.test,Bob'), /the first line has an address/);
});
