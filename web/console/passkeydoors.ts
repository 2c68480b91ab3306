/** Signing in by a passkey: the challenge for the browser, and its answer. */
import { beginPasskeySignIn, signInByPasskey, siteOf } from '../../operations/accounts/passkeys.js';
import { readForm } from './body.js';
import { clearCookie, readCookie, writeCookie } from './cookie.js';
import { clientOf, type Entrance, enter, showSignIn } from './entrance.js';
import { isOwnForm, originOf, safePath } from './guard.js';
import { texts } from './texts/texts.js';

const t = texts.signIn;

export function openPasskeyDoors({ app, deps, throttle, throttleFlow }: Entrance): void {
  const { workplace, logger } = deps;
  app.post('/sign-in/passkey/options', async (c) => {
    const site = siteOf(originOf(c, deps));
    if (site === null || !isOwnForm(c, deps)) return c.text('', 403);
    if (throttleFlow(c) > 0) return c.text('', 429);
    const { options, secret } = await beginPasskeySignIn(workplace, site);
    c.header('set-cookie', writeCookie(secret, deps, 'flow'));
    return c.json(options);
  });
  app.post('/sign-in/passkey', async (c) => {
    const site = siteOf(originOf(c, deps));
    if (site === null || !isOwnForm(c, deps)) return showSignIn(c, deps, { problem: t.passkeyWrong, status: 422 });
    const { values } = await readForm(c);
    const { answer: given = '', next } = values;
    const wait = throttle(c);
    if (wait > 0) {
      c.header('retry-after', String(wait));
      return showSignIn(c, deps, { problem: texts.errors.wait(wait), status: 429, next });
    }
    const secret = readCookie(c, deps, 'flow');
    const begun = await signInByPasskey(workplace, { secret, given }, site, clientOf(c, deps));
    if (typeof begun === 'string') {
      logger.warn('console sign-in by a passkey refused', { problem: begun });
      c.header('set-cookie', clearCookie(deps, 'flow'));
      return showSignIn(c, deps, {
        problem: begun === 'outdated' ? t.passkeyOutdated : t.passkeyWrong,
        status: 422,
        next,
      });
    }
    await enter(c, deps, begun);
    return c.redirect(safePath(next), 303);
  });
}
