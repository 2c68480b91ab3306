/** Defines every refusal, hold, fault and warning: its stable code, its rule, and its message. */
import { oneLine } from './outside.js';
import type { Issue, Refusal, Severity } from './types.js';

interface Code {
  severity: Severity;
  /** The rule of docs/import-rules.md. */
  rule: string;
  /** `{name}` is a placeholder for a label, a number or a line; for a cell's value only in faults and warnings, which no log has. */
  message: string;
  /** Reported once for each column of a file, on the first line that has it. */
  oncePerColumn?: true;
}

/** Codes are part of the report's format: they may be added, never renamed. */
export const codes = {
  not_csv: { severity: 'refusal', rule: 'F2', message: 'This is {what}, not a CSV file. {advice}' },
  binary: {
    severity: 'refusal',
    rule: 'F2',
    message: 'This is not a text file: there is a zero byte at offset {offset}. {advice}',
  },
  not_utf8: {
    severity: 'refusal',
    rule: 'F2',
    message: 'The text is not UTF-8: the byte at offset {offset} is not valid. Export the file as "CSV UTF-8".',
  },
  not_utf16: {
    severity: 'refusal',
    rule: 'F2',
    message:
      'The text is not whole UTF-16: the character at offset {offset} is broken off. Export the file again, as "CSV UTF-8".',
  },
  packed_damaged: {
    severity: 'refusal',
    rule: 'F2',
    message: 'The {what} is damaged: {reason}. Pack the file again, and send it again.',
  },
  zip_content: { severity: 'refusal', rule: 'F2', message: 'The zip archive {reason}. {advice}' },
  wrapped_twice: {
    severity: 'refusal',
    rule: 'F2',
    message: 'The file is a {outer} with a {inner} in it. Pack it once, encrypt it once, or send the CSV file itself.',
  },
  unpacks_too_large: {
    severity: 'refusal',
    rule: 'F9',
    message: 'The {what} unpacks to more than {limit} bytes, which is the limit. Split the file.',
  },
  unpacks_too_much: {
    severity: 'refusal',
    rule: 'F9',
    message:
      'The {what} unpacks to more than {limit} times its size, which is the limit. If this is your export, send the CSV file unpacked.',
  },
  must_encrypt: {
    severity: 'refusal',
    rule: 'F2',
    message:
      'Files of this organization must be encrypted with PGP, and this one is not. Encrypt it for the key pgp-public-key.asc in /templates, and send it again.',
  },
  must_sign: {
    severity: 'refusal',
    rule: 'F2',
    message:
      'Files of this organization must be signed with the PGP key {keys}; {found}. Sign the file with this key when you encrypt it, and send it again.',
  },
  pgp_no_key: {
    severity: 'refusal',
    rule: 'F2',
    message:
      'The file is encrypted with PGP for the key {ids}, and this drop has no PGP key that can be used. Ask your operator for one, or send the file without PGP: the upload and the storage of Dropslot are encrypted.',
  },
  pgp_other_key: {
    severity: 'refusal',
    rule: 'F2',
    message:
      'The file is encrypted with PGP for the key {ids}, and not for the key of this drop ({own}). Encrypt it for the key pgp-public-key.asc in /templates, and send it again.',
  },
  pgp_old_key: {
    severity: 'refusal',
    rule: 'F2',
    message:
      'The file is encrypted with PGP for the key {id}, which {state}. Encrypt it for the key pgp-public-key.asc in /templates, and send it again.',
  },
  pgp_password: {
    severity: 'refusal',
    rule: 'F2',
    message:
      'The file is encrypted with PGP with a password and for no key. Encrypt it for the key pgp-public-key.asc in /templates, and send it again.',
  },
  pgp_unprotected: {
    severity: 'refusal',
    rule: 'F2',
    message:
      'The PGP encryption of this file has no protection of its integrity: a change on its way is not noticed. Switch on integrity protection (MDC) in your program, or ask your operator to allow such files.',
  },
  pgp_damaged: {
    severity: 'refusal',
    rule: 'F2',
    message: 'The PGP file is damaged: {reason}. Encrypt it again, and send it again, as a binary file.',
  },
  pgp_unsupported: {
    severity: 'refusal',
    rule: 'F2',
    message:
      'Dropslot cannot read this form of PGP: {reason}. Encrypt the file with AES-256 and integrity protection, and send it again.',
  },
  pgp_bad_signature: {
    severity: 'refusal',
    rule: 'F2',
    message:
      'The PGP signature of this file with the key {id} does not count: {reason}. Sign it again, and send it again.',
  },
  damaged: {
    severity: 'refusal',
    rule: 'F2',
    message: 'The stored file is damaged and cannot be read. Send it again, and tell your operator.',
  },
  unrecorded: {
    severity: 'refusal',
    rule: 'F2',
    message:
      'The audit trail has no record that this file was uploaded with this content, so it is not imported. Send it again, and tell your operator.',
  },
  hook_refused: {
    severity: 'refusal',
    rule: 'F2',
    message: 'A rule of your operator refuses this file: {reason}',
  },
  hook_labels: {
    severity: 'refusal',
    rule: 'F6',
    message: 'Two columns have the label "{label}". Rename one of them or remove it, and send the file again.',
  },
  too_costly: {
    severity: 'refusal',
    rule: 'F9',
    message:
      'The importer could not read this file within its limits ({reason}), and will not try it again. Export the file again, split it into smaller files, and ask your operator if that does not help.',
  },
  check_too_long: {
    severity: 'refusal',
    rule: 'F9',
    message:
      'This check was ended, because it took more than {minutes} minutes. The import has more time. Split the file into smaller files to have it checked.',
  },
  no_key_column: {
    severity: 'refusal',
    rule: 'F1',
    message:
      'The header has neither "User Email" (a users file) nor "Team Name" (a teams file){hint}. The first line must have the column names.',
  },
  both_key_columns: {
    severity: 'refusal',
    rule: 'F1',
    message: 'The header has both "{users}" and "{teams}". Send users and teams as two files.',
  },
  label_twice: {
    severity: 'refusal',
    rule: 'F6',
    message:
      'The columns {one} ("{first}") and {other} ("{second}") have the same meaning and different values, first on line {at}. Remove or rename one of them.',
  },
  unclosed_quote: {
    severity: 'refusal',
    rule: 'F4',
    message:
      'A quote opens a cell on this line, and no quote closes it right before a separator or a line end, so that it is not certain where the row ends. Close it there, and double each quote that is part of the text ("").',
  },
  too_many_rows: { severity: 'refusal', rule: 'F9', message: 'The file has more than {limit} rows. Split it.' },
  too_many_columns: {
    severity: 'refusal',
    rule: 'F9',
    message: 'The header has {count} columns; {limit} are allowed. Export fewer columns.',
  },
  cell_too_large: {
    severity: 'refusal',
    rule: 'F9',
    message: 'A cell has more than {limit} bytes. Shorten it, or look for a missing quote.',
  },
  file_too_large: {
    severity: 'refusal',
    rule: 'F9',
    message: 'The file has {bytes} bytes; {limit} are allowed. Split it.',
  },
  stage_too_large: {
    severity: 'refusal',
    rule: 'F9',
    message:
      'The rows of this file need more than {limit} bytes of temporary storage on the server. Split the file, or shorten its longest cells.',
  },
  too_many_faults: {
    severity: 'refusal',
    rule: 'G2',
    message:
      '{faults} of {rows} rows are faulty, more than the allowed share. Correct them and send the whole file again.',
  },

  too_many_deactivations: {
    severity: 'hold',
    rule: 'G1',
    message:
      'The import would deactivate {count} of {active} active users{earlier}; more than {limit} needs an approval. Nothing was changed.',
  },
  too_many_admin_changes: {
    severity: 'hold',
    rule: 'G1',
    message:
      'The import would grant or revoke the admin role of {count} users, or deactivate admins{earlier}; more than {limit} needs an approval. Nothing was changed.',
  },
  too_many_updates: {
    severity: 'hold',
    rule: 'G1',
    message:
      'The import would replace "{field}" of {count} users (there are {active} active ones){earlier}; more than {limit} needs an approval. Nothing was changed.',
  },
  too_many_creations: {
    severity: 'hold',
    rule: 'G1',
    message:
      'The import would create {count} users (there are {active} active ones){earlier}; more than {limit} needs an approval. Nothing was changed.',
  },
  too_many_reactivations: {
    severity: 'hold',
    rule: 'G1',
    message:
      'The import would activate {count} deactivated users again (there are {active} active ones){earlier}; more than {limit} needs an approval. Nothing was changed.',
  },
  new_admins: {
    severity: 'hold',
    rule: 'G1',
    message:
      'The import would make {count} users admins. Your organization requires an approval for each new admin (setting holdAdmins). Nothing was changed.',
  },
  too_many_omitted: {
    severity: 'hold',
    rule: 'G1',
    message:
      'The import would deactivate {count} of {active} active users who came from files, because they are missing from full files; more than half needs an approval. Nothing was changed.',
  },
  hook_hold: {
    severity: 'hold',
    rule: 'G1',
    message: 'A rule of your operator holds this import until the operator approves it: {reason} Nothing was changed.',
  },
  made_up: {
    severity: 'hold',
    rule: 'G1',
    message:
      'The import would create users ({users}) and teams ({teams}) only because cells name them, and your organization requires an approval for this (setting createMissing). The notices in the reports list them. Nothing was changed.',
  },
  owner_deactivated: {
    severity: 'hold',
    rule: 'G1',
    message:
      'The import would deactivate the owner of your organization, which needs an approval. Nothing was changed.',
  },
  protected_deactivated: {
    severity: 'hold',
    rule: 'G1',
    message:
      'The import would deactivate {count} users whom your organization protects (setting protected), which needs an approval. Nothing was changed.',
  },

  cell_count: {
    severity: 'fault',
    rule: 'F4',
    message: 'The header has {expected} cells, this row {count}. Look for a missing or an extra separator or quote.',
  },
  hook_fault: {
    severity: 'fault',
    rule: 'F4',
    message: 'A rule of your operator could not convert this row: {reason}. Correct the row, or ask your operator.',
  },
  quote_inside: {
    severity: 'fault',
    rule: 'F4',
    message:
      'A cell that begins with a quote has more text after its closing quote. Double each quote that is part of the text and put quotes around the whole cell, as in """Bob"" Miller", or remove the quotes.',
  },
  email_missing: {
    severity: 'fault',
    rule: 'U1',
    message: '"{label}" is empty. Every user needs an email address.',
  },
  email_invalid: {
    severity: 'fault',
    rule: 'U1',
    message: '"{label}" is not a valid email address{reason}. Correct it.',
  },
  email_twice: {
    severity: 'fault',
    rule: 'U2',
    message: 'The same email is on {lines} with other values. Keep one row for each user.',
  },
  user_erased: {
    severity: 'fault',
    rule: 'U16',
    message:
      'This person was erased on request, and is not created again. If they are a user again, ask your operator to allow it (users readmit) and send the row again; if not, leave them out of the file.',
  },
  identifier_twice: {
    severity: 'fault',
    rule: 'U15',
    message: 'The same "{label}" is on {lines} with another email. Keep one row for each user.',
  },
  identifier_shared: {
    severity: 'fault',
    rule: 'U15',
    message: 'Several users have this "{label}" already, so that the user of the row is not clear. Ask your operator.',
  },
  identifier_conflict: {
    severity: 'fault',
    rule: 'U15',
    message: '{facts} Correct the "{label}" or the email.',
  },
  identifier_needed: {
    severity: 'fault',
    rule: 'U15',
    message:
      'The user who had this email has another one now{lines}. Write the "{label}" of the user who has it from now on.',
  },
  team_long: {
    severity: 'fault',
    rule: 'T1',
    message: '"{label}" has more than {limit} characters. Shorten it, or look for a missing quote.',
  },
  team_missing: { severity: 'fault', rule: 'T1', message: '"{label}" is empty. Every team needs a name.' },
  team_twice: {
    severity: 'fault',
    rule: 'T1',
    message: 'The same team is on {lines} with other values. Keep one row for each team.',
  },

  encoding_guessed: {
    severity: 'warning',
    rule: 'F2',
    message: 'The text is not UTF-8; it was read as Windows-1252. Export it as "CSV UTF-8", so that no letter is lost.',
  },
  file_empty: {
    severity: 'warning',
    rule: 'F5',
    message: 'The file is empty: nothing was changed, and no user was deactivated. Check the export.',
  },
  no_rows: {
    severity: 'warning',
    rule: 'F5',
    message: 'The file has a header and no rows: nothing was changed, and no user was deactivated. Check the export.',
  },
  identifier_absent: {
    severity: 'warning',
    rule: 'U15',
    message:
      'The file has no values for "{label}": users were found by their emails, and none was renamed. Export it, too.',
  },
  label_inexact: {
    severity: 'warning',
    rule: 'F7',
    message: 'The column "{label}"{unseen} was read as "{standard}". Write it exactly like that.',
  },
  label_repeated: {
    severity: 'warning',
    rule: 'F6',
    message:
      'The columns {one} ("{first}") and {other} ("{second}") have the same meaning; since no row has two different values, they were read as one. Remove one of them.',
  },
  label_near: {
    severity: 'warning',
    rule: 'F7',
    message:
      'The column "{label}" looks like "{standard}" misspelt and was ignored. Write "{standard}", or give a custom field another name.',
  },
  label_unknown: { severity: 'warning', rule: 'F8', message: 'A teams file has no column "{label}"; it was ignored.' },
  label_reserved: {
    severity: 'warning',
    rule: 'F8',
    message:
      'The column "{label}" was ignored: exports use this name for a value that imports cannot set. Give the field another name.',
  },
  label_long: {
    severity: 'warning',
    rule: 'F8',
    message: 'The name of this column has more than {limit} characters; it was ignored. Give it a shorter name.',
  },
  label_blank: {
    severity: 'warning',
    rule: 'F8',
    message: 'Column {number} has values but no name in the header; it was ignored. Name it.',
  },
  too_many_fields: {
    severity: 'warning',
    rule: 'C1',
    message:
      'The new column "{label}" was ignored: your organization can have {limit} custom fields. Ask your operator to hide some (fields hide), or to allow more columns (maxColumns).',
  },
  manager_invalid: {
    severity: 'warning',
    rule: 'U8',
    message: '"{label}" is not a valid email address{reason}; the manager was left as it is.',
  },
  manager_erased: {
    severity: 'warning',
    rule: 'U16',
    message:
      'The person in "{label}" was erased on request; the manager was left as it is. Name another manager, or ask your operator to allow the person again (users readmit).',
  },
  owner_erased: {
    severity: 'warning',
    rule: 'U16',
    message:
      'The person in "{label}" was erased on request; the owner was left as it is. Name another owner, or ask your operator to allow the person again (users readmit).',
  },
  manager_alone: {
    severity: 'warning',
    rule: 'U8',
    message:
      'The column "{label}" was ignored: managers are found by their addresses. Add the column "Manager Email", or have your operator set an alias for the column that has them.',
  },
  status_ignored: {
    severity: 'warning',
    rule: 'F8',
    message:
      'The column "{label}" was ignored: an import reads no status from it. To deactivate users, write "Deactivation Date", or ask your operator to set the words of your column (statusWords).',
    oncePerColumn: true,
  },
  status_unknown: {
    severity: 'warning',
    rule: 'U12b',
    message:
      'Your organization has no meaning for this word in "{label}"; the status of the user was left as it is. Correct it, or ask your operator to add the word (statusWords).',
  },
  status_dated: {
    severity: 'notice',
    rule: 'U12b',
    message:
      'In some rows "{label}" and "{date}" contradict each other, first in this one. There the date decides, and the status was not used.',
    oncePerColumn: true,
  },
  manager_id_unknown: {
    severity: 'warning',
    rule: 'U8b',
    message:
      'No user has the identifier in "{label}", or several users have it; it was not used. Correct it, or add a row for the manager.',
  },
  manager_conflict: {
    severity: 'warning',
    rule: 'U8b',
    message:
      '"{label}" and "{other}" name two different managers; the manager was left as it is. Correct one of the two cells.',
  },
  null_value: {
    severity: 'notice',
    rule: 'U6a',
    message:
      'Some cells of "{label}", first this one, mean that there is no value (like N/A, 00/00/0000, or a deactivation before 1970); they were read as blank cells. If such a word is a value, ask your operator to change the list (nullWords).',
    oncePerColumn: true,
  },
  date_no_end: {
    severity: 'notice',
    rule: 'U12a',
    message:
      '"{label}" has dates from 2200 on, first this one; they mean that the user has no end date, and no deactivation is planned for them.',
    oncePerColumn: true,
  },
  teams_separator: {
    severity: 'warning',
    rule: 'U6',
    message:
      'Cells of "{label}" have semicolons or bars and no comma; each was read as one team. Separate teams by commas, and put a name that has a semicolon or a bar in quotes.',
    oncePerColumn: true,
  },
  manager_unknown: {
    severity: 'warning',
    rule: 'U8',
    message:
      'No user has this address, and no file describes one; the manager was left as it is, since your organization creates no users for such cells (setting createMissing). Correct "{label}", or add a row for the manager.',
  },
  teams_unknown: {
    severity: 'warning',
    rule: 'U7',
    message:
      'No team has this name; the cell was ignored, since your organization creates no teams for such cells (setting createMissing). Correct "{label}", or send the team in a teams file.',
  },
  clear_refused: {
    severity: 'warning',
    rule: 'U4a',
    message: '"{label}" cannot be emptied; it was left as it is.',
  },
  manager_self: {
    severity: 'warning',
    rule: 'U9',
    message: 'A user cannot be their own manager; the manager was left as it is.',
  },
  manager_ring: {
    severity: 'warning',
    rule: 'U9',
    message:
      'This manager would close a ring{lines}; the manager was left as it is{kept}. Correct one of these managers.',
  },
  admin_invalid: { severity: 'warning', rule: 'U10', message: '"{label}" takes Yes or No; it was left as it is.' },
  admin_inexact: {
    severity: 'warning',
    rule: 'U10',
    message:
      '"{label}" takes Yes or No; TRUE, Y and 1 were read as Yes, and FALSE, N and 0 as No, in all rows. Write Yes or No.',
    oncePerColumn: true,
  },
  last_admin: {
    severity: 'warning',
    rule: 'U10',
    message:
      'This is the last active admin, and a file can neither demote nor deactivate them; the cell was ignored. Name another admin first.',
  },
  account_type_invalid: {
    severity: 'warning',
    rule: 'U11',
    message: '"{label}" takes Regular or Observer; it was left as it is.',
  },
  date_invalid: {
    severity: 'warning',
    rule: 'U14',
    message: 'This is not a date; the cell was ignored. Write dates as yyyy-mm-dd, mm/dd/yyyy or dd/mm/yyyy.',
  },
  date_serial: {
    severity: 'warning',
    rule: 'U14',
    message:
      'This is the number by which Excel stores a date, not a date; the cell was ignored. In Excel, give the column the date format yyyy-mm-dd and export the file again.',
  },
  date_ambiguous: {
    severity: 'warning',
    rule: 'U14',
    message:
      'No date of the column shows whether the day or the month comes first; the cell was ignored. Write yyyy-mm-dd, or have the date format of your organization set.',
  },
  date_contradictory: {
    severity: 'warning',
    rule: 'U14',
    message:
      'The column has dates with the day first and dates with the month first; the cell was ignored. Write all dates as yyyy-mm-dd.',
  },
  date_blank_deactivated: {
    severity: 'warning',
    rule: 'U12a',
    message:
      'This user is deactivated, and an empty "{label}" does not make them active again. If they are to be active, write a date from 2200 on, which means no end, or ask your operator (users reactivate).',
  },
  date_blank_withdrawn: {
    severity: 'warning',
    rule: 'U12a',
    message:
      'A person deactivated this user, and no file makes them active again. If they are to be active, ask your operator (users reactivate); if not, leave them out of the file.',
  },
  date_blank_scheduled: {
    severity: 'warning',
    rule: 'U12a',
    message:
      'The deactivation of this user is scheduled, and an empty "{label}" does not cancel it. If they are to remain active, write a date from 2200 on, which means no end, or ask your operator (users reactivate).',
  },
  teams_malformed: {
    severity: 'warning',
    rule: 'U6',
    message:
      'A quote in "{label}" is never closed; the cell was ignored. Separate teams by commas and put a name that has a comma in quotes.',
  },
  teams_long: {
    severity: 'warning',
    rule: 'U6',
    message: 'A name in "{label}" has more than {limit} characters; the cell was ignored. Separate teams by commas.',
  },
  field_mismatch: {
    severity: 'warning',
    rule: 'C3',
    message:
      'The field "{label}" takes {kind}; the cell was ignored. Correct it, or ask your operator to make the field a text.',
  },
  field_twice: {
    severity: 'warning',
    rule: 'C2',
    message: 'The columns "{label}" and "{other}" are one field, which was renamed; this one was ignored. Remove it.',
  },
  field_ambiguous: {
    severity: 'warning',
    rule: 'C4',
    message:
      'No date of the new column "{label}" shows whether the day or the month comes first; it was made a text field. Write yyyy-mm-dd to get dates.',
  },
  field_text: {
    severity: 'warning',
    rule: 'C1',
    message:
      'The new column "{label}" was made a text field because of this cell{more}: most of its values are {kind}. If all should be, correct the cells and ask your operator to change the type of the field (fields retype).',
  },
  owner_invalid: {
    severity: 'warning',
    rule: 'T2',
    message: '"{label}" is not a valid email address{reason}; the owner was left as it is.',
  },
  owner_unknown: {
    severity: 'warning',
    rule: 'T2',
    message:
      'No user has this address, and no file describes one; the owner was left as it is, since your organization creates no users for such cells (setting createMissing). Correct "{label}", or add the owner to a users file.',
  },
  parent_unknown: {
    severity: 'warning',
    rule: 'T3',
    message:
      'No team has this name; the parent was left as it is, since your organization creates no teams for such cells (setting createMissing). Correct "{label}", or add a row for the parent.',
  },
  parent_long: {
    severity: 'warning',
    rule: 'T3',
    message: '"{label}" has more than {limit} characters; the parent was left as it is. Shorten it.',
  },
  parent_self: {
    severity: 'warning',
    rule: 'T3',
    message: 'A team cannot be its own parent; the parent was left as it is.',
  },
  parent_ring: {
    severity: 'warning',
    rule: 'T3',
    message: 'This parent would close a ring{lines}; the parent was left as it is{kept}. Correct one of these parents.',
  },

  omission_counted: {
    severity: 'notice',
    rule: 'U3a',
    message:
      'This user is missing from {missed}, and will be deactivated when {limit} in a row lack the user (setting omission). Add a row for users who still work for you.',
  },
  omission_deactivated: {
    severity: 'notice',
    rule: 'U3a',
    message:
      'This user is missing from {missed}, and the import deactivates the user (setting omission). A row in a later file activates the user again.',
  },
  omission_kept: {
    severity: 'notice',
    rule: 'U3a',
    message:
      'This user is missing from {missed}, and is not deactivated: no other admin would be left, or a person set the status of the user.',
  },
  kept_people: {
    severity: 'notice',
    rule: 'U4a',
    message:
      'A person set this "{label}" with a command, and files of your organization do not replace such values (setting fieldOwners); it was left as it is.',
  },
  kept_once: {
    severity: 'notice',
    rule: 'U4a',
    message:
      'Files of your organization fill "{label}" only while it is empty (setting fieldOwners); values of this and perhaps other rows were left as they are.',
    oncePerColumn: true,
  },
  user_made_up: {
    severity: 'notice',
    rule: 'U8a',
    message:
      'No user has this address, and no file describes one: the import creates an active user for it. Correct "{label}" if the address is mistyped.',
  },
  issues_omitted: {
    severity: 'notice',
    rule: 'R1',
    message:
      'This report leaves out {count} more lines with the code "{code}": it has the first ones only. Correct their cause, and check the file again.',
  },
  report_shortened: {
    severity: 'notice',
    rule: 'R1',
    message:
      'The report ends here, and the file of rejected rows is left out, because your organization has no storage left. Remove files that you no longer need, and send the file again.',
  },
  team_made_up: {
    severity: 'notice',
    rule: 'U8a',
    message: 'No team has this name: the import creates the team. Correct "{label}" if the name is mistyped.',
  },
} as const satisfies Record<string, Code>;

export type CodeName = keyof typeof codes;

const oncePerColumn: ReadonlySet<string> = new Set(
  Object.entries<Code>(codes).flatMap(([name, code]) => (code.oncePerColumn === true ? [name] : [])),
);

/** Whether a file has the issue once for each column, however many cells have it. */
export function isOncePerColumn(code: string): boolean {
  return oncePerColumn.has(code);
}

/** The values of a message's placeholders. */
export type Details = Record<string, string | number>;

/** Ends the reading of a file that is refused: an outcome, not a failure. */
export class RefusalError extends Error {
  override name = 'RefusalError';
  constructor(readonly refusal: Refusal) {
    super(refusal.code);
  }
}

export function refuse(
  code: CodeName,
  details: Details = {},
  line: number | null = null,
  column: string | null = null,
): Refusal {
  return { code, message: describe(code, details), line, column: column === null ? null : shorten(column) };
}

/** An issue of a code. @param details the values of the placeholders. */
export function makeIssue(
  code: CodeName,
  where: { line: number | null; column?: string | null; value?: string | null },
  details: Details = {},
): Issue {
  return {
    line: where.line,
    column: where.column === undefined || where.column === null ? null : shorten(where.column),
    severity: codes[code].severity,
    code,
    message: describe(code, details),
    value: where.value ?? null,
  };
}

/** Placeholders for texts from outside, such as a column's name: only these are cut, and can't add a line. */
const outsideTexts: ReadonlySet<string> = new Set(['label', 'other', 'first', 'second', 'users', 'teams', 'field']);

/** The message of a code. */
export function describe(code: CodeName, details: Details): string {
  return codes[code].message.replace(/\{(\w+)\}/g, (_, name: string) => {
    const text = String(details[name] ?? '');
    if (outsideTexts.has(name)) return oneLine(shorten(text)).replaceAll('"', '\\"');
    return oneLine(text); // a sentence of ours may quote a cell
  });
}

/** The message of a code with … in the place of each detail; null: no such code. */
export function explainCode(code: string): string | null {
  if (!Object.hasOwn(codes, code)) return null;
  return codes[code as CodeName].message
    .replace(optional, '')
    .replace(/\{\w+\}/g, '…')
    .trim();
}

/** Details that a message can also do without. */
const optional = /\{(hint|advice|unseen|reason|more|kept)\}/g;

/** Cuts a label for reports: it may be a megabyte long, and the message of each of a million rows may have it. */
export function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
