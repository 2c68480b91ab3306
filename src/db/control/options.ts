/** What an operator may choose for one organization, beyond its limits: each option is absent until it is chosen. */
export interface OrgOptions {
  /** What one run may do without an approval; the settings of the same names say what holds without them. */
  maxDeactivations?: string;
  maxAdminChanges?: number;
  maxUpdatedShare?: number;
  /** Whether queued files are checked at once; true without it. */
  earlyCheck?: boolean;
}
