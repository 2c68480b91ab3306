/** Accounts of the web console, for people and as JSON; never with their secrets. */
import type { Account } from '../../operations/accounts/rights.js';
import { formatTime } from '../../operations/format.js';
import { accountToJson } from '../../operations/forms/accounts.js';
import type { ListView } from '../output.js';

export const accountList: ListView<Account> = {
  columns: [
    { title: 'EMAIL', cell: ({ email }) => email, whole: true },
    { title: 'ROLE', cell: ({ role }) => role },
    { title: 'ORGANIZATION', cell: ({ org }) => org ?? 'all' },
    { title: 'STATE', cell: ({ isSet }) => (isSet ? 'set up' : 'invited') },
    { title: 'SIGNED IN', cell: ({ signedInAt }) => formatTime(signedInAt) },
  ],
  empty: 'No people yet: invite the first one with "dropslot console invite EMAIL --role owner".',
  toJson: accountToJson,
};
