/** The people below a manager, for the organization tree: a page of them, each with the number of their own reports. */
import type { Queryable } from '../connection.js';
import type { UserStatus } from './users.js';

export interface Report {
  email: string;
  emailKey: string;
  userName: string | null;
  firstName: string | null;
  lastName: string | null;
  status: UserStatus;
  /** Direct ones. */
  reports: number;
}

/** In the order of their compared addresses. @param manager null: those at the top, who manage others and have no manager. */
export async function listReports(
  db: Queryable,
  org: string,
  manager: string | null,
  { after, limit }: { after: string; limit: number },
): Promise<Report[]> {
  const query = db('users as u')
    .where('u.org_id', org)
    .where('u.email_key', '>', after)
    .orderBy('u.email_key')
    .limit(limit);
  if (manager === null)
    query
      .whereNull('u.manager_id')
      .whereIn('u.id', db('users').where({ org_id: org }).whereNotNull('manager_id').select('manager_id'));
  else query.whereIn('u.manager_id', db('users').where({ org_id: org, email_key: manager }).select('id'));
  const rows = await query.select('u.email', 'u.email_key', 'u.user_name', 'u.first_name', 'u.last_name', 'u.status', {
    reports: db('users as r').whereRaw('r.manager_id = u.id').count(),
  });
  return rows.map((row) => ({
    ...{ email: row.email, emailKey: row.email_key, userName: row.user_name, firstName: row.first_name },
    ...{ lastName: row.last_name, status: row.status, reports: Number(row.reports) },
  }));
}
