/** Decides when a known user is deactivated, or active again: by the date of a row, or by its status (rules U12, U12a, U12b). */

/**
 * The effect of a new `Deactivation Date`, or else of a status, on a known user (rules U12–U12b), as SQL over the row `r` and the
 * user `p`. A row with a date has no status. A date that means "no end" is in the future, and has no moment.
 */
export function planDeactivation() {
  const isNew = 'r.deactivation_date IS NOT NULL AND r.deactivation_date IS DISTINCT FROM p.deactivation_date';
  const when = (future: string, today: string, past: string, else_: string) =>
    `CASE WHEN NOT (${isNew}) THEN ${else_} WHEN r.deactivation_date > :today THEN ${future}
      WHEN r.deactivation_date = :today THEN ${today} ELSE ${past} END`;
  const isOut = `p.status = 'deactivated'`;
  const comesBack = `${isOut} AND p.deactivated_by IN ('import', 'undo', 'absence')`;
  // A user whom an undo or an absence from files deactivated is active again once a file has them, as if it had created them.
  const returns = (value: string, else_: string) =>
    `CASE WHEN ${isOut} AND p.deactivated_by IN ('undo', 'absence') THEN ${value} ELSE ${else_} END`;
  const byStatus = (left: string, back: string, else_: string) =>
    `CASE WHEN r.status = 'deactivated' THEN ${left} WHEN r.status = 'active' AND ${comesBack} THEN ${back} ELSE ${else_} END`;
  // A system that writes yesterday's date each day moves the date, and not the moment.
  const isPastAlready = 'p.deactivate_at IS NOT NULL AND p.deactivation_date < :today';
  // A file that names the end replaces the absence as its reason: no later row without one brings the user back.
  const leavesBy = `CASE WHEN ${isOut} AND p.deactivated_by IS DISTINCT FROM 'absence' THEN p.deactivated_by ELSE 'import' END`;
  return {
    status: when(
      `CASE WHEN ${comesBack} THEN 'active' ELSE p.status END`,
      `'deactivated'`,
      'p.status',
      byStatus(`'deactivated'`, `'active'`, returns(`'active'`, 'p.status')),
    ),
    deactivateAt: when(
      `CASE WHEN ${isOut} AND NOT (${comesBack}) THEN NULL ELSE r.deactivation_at END`,
      'NULL',
      `CASE WHEN ${isOut} THEN NULL WHEN ${isPastAlready} THEN p.deactivate_at ELSE CAST(:tomorrow AS BIGINT) END`,
      byStatus('NULL', 'NULL', 'p.deactivate_at'),
    ),
    deactivatedAt: when(
      `CASE WHEN ${comesBack} THEN NULL ELSE p.deactivated_at END`,
      `CASE WHEN ${isOut} THEN p.deactivated_at ELSE CAST(:now AS BIGINT) END`,
      'p.deactivated_at',
      byStatus(
        `CASE WHEN ${isOut} THEN p.deactivated_at ELSE CAST(:now AS BIGINT) END`,
        'NULL',
        returns('NULL', 'p.deactivated_at'),
      ),
    ),
    deactivatedBy: when(
      `CASE WHEN ${comesBack} THEN NULL ELSE p.deactivated_by END`,
      leavesBy,
      'p.deactivated_by',
      byStatus(leavesBy, 'NULL', returns('NULL', 'p.deactivated_by')),
    ),
  };
}
