/** What an operator may choose for one organization, beyond its limits: each option is absent until it is chosen. */
export interface OrgOptions {
  /** Deactivations in one run that need no approval; the setting of the same name says what holds without it. */
  maxDeactivations?: number;
}
