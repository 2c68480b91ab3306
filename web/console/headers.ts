/** The headers of every answer of the console; scripts run on the pages that name one, and only those of the console. */

const nothing = "default-src 'none'; style-src 'self'; img-src 'self'";
const ends = "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/** Of a page with a script of the console, which may ask the console alone. */
export const scriptPolicy = `${nothing}; script-src 'self'; connect-src 'self'; ${ends}`;

export function securityHeaders(isSecure: boolean): Record<string, string> {
  return {
    'cache-control': 'no-store',
    // No scripts at all, and nothing of another host.
    'content-security-policy': `${nothing}; ${ends}`,
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
    // Browsers name the origin of a form only where the referrer may be sent to it.
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    ...(isSecure && { 'strict-transport-security': 'max-age=31536000' }),
  };
}
