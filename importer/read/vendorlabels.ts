/** Names that HR systems and directories give to the column of a user's address; the likeliest come first (rule F7a). */
import { labelKey } from './normalize.js';

const addressLabels = [
  // Workday, UKG, ADP, SuccessFactors, Rippling, BambooHR, Personio, HiBob
  [
    'Work Email',
    'Work E-mail',
    'Email - Work',
    'Email - Primary Work',
    'Primary Work Email',
    'Primary Work Email Address',
  ],
  ['Work Contact: Work Email', 'Work Email Address', 'Work Contact Email', 'workEmail', 'work_email', 'emailWork'],
  ['Business Email', 'Business Email Address', 'Business E-mail', 'Business Email Information Email Address'],
  [
    'Company Email',
    'Company Email Address',
    'Company E-mail',
    'Corporate Email',
    'Corporate Email Address',
    'Office Email',
  ],
  ['Employee Email', 'Employee Email Address', 'Employee E-mail', 'employee_email', 'Worker Email', 'Associate Email'],
  ['Professional Email', 'Official Email', 'Internal Email', 'Organization Email'],
  // Google Workspace, Okta, Entra, Lattice, Glint, Culture Amp
  [
    'Email Address [Required]',
    'Email Address',
    'E-mail Address',
    'Email',
    'E-mail',
    'mail',
    'emailAddress',
    'email_address',
  ],
  [
    'Primary Email',
    'primaryEmail',
    'primary_email',
    'Primary Email Address',
    'user.email',
    'user_email',
    'userEmail',
    'User Mail',
  ],
  [
    'User E-mail',
    'User Email Address',
    'Email ID',
    'Email Id',
    'Mail Address',
    'Contact Email',
    'Participant Email',
    'Member Email',
  ],
  // SAP and others in German, French, Spanish, Italian, Dutch
  [
    'E-Mail-Adresse',
    'Email-Adresse',
    'E-Mail Adresse',
    'Geschäftliche E-Mail',
    'E-Mail geschäftlich',
    'E-Mail dienstlich',
  ],
  ['Dienstliche E-Mail', 'Dienstliche E-Mail-Adresse', 'Geschäftliche E-Mail-Adresse', 'Firmen-E-Mail', 'Mailadresse'],
  [
    'Adresse e-mail',
    'Adresse email',
    'E-mail professionnel',
    'Courriel',
    'Correo electrónico',
    'Indirizzo e-mail',
    'E-mailadres',
  ],
  // An account's name is often, not always, its address.
  ['userPrincipalName', 'User Principal Name', 'User principal name', 'profile.login', 'login', 'userName'],
].flat();

const ranks = new Map([...addressLabels].reverse().map((label, at) => [labelKey(label), addressLabels.length - at]));

/** Labels from this rank on name addresses only where the values are addresses. */
const uncertain = ranks.get(labelKey('userPrincipalName'))!;

/** Words of labels of addresses that are not the user's own at work. */
const foreign =
  /manager|supervisor|boss|lead|owner|approver|partner|assistant|mentor|recruiter|report|hr|vorgesetzt|leiter|responsable|jefe|personal|home|private|privat|alternat|secondary|recovery|backup|emergency|other|former|old|previous|spouse/i;

/** The place of a label in the dictionary, 1 for the likeliest; undefined: it is not in it. */
export function rankOf(label: string): number | undefined {
  return ranks.get(labelKey(label));
}

/** Whether the label alone, without values, names the column of the users' addresses. */
export function isAddressLabel(label: string): boolean {
  return (rankOf(label) ?? uncertain) < uncertain;
}

/** Whether the label names an address of another person, or a private one. */
export function isForeignAddress(label: string): boolean {
  return foreign.test(label);
}
