/** Owns the errors of SCIM that a request causes: a status with the keyword of RFC 7644, section 3.12. */
export type ScimType = 'invalidFilter' | 'invalidValue' | 'tooMany';

export class ScimError extends Error {
  override name = 'ScimError';
  constructor(
    readonly status: 400 | 404 | 429 | 501,
    readonly scimType: ScimType | null,
    message: string,
  ) {
    super(message);
  }
}
