/** A mail server on the loopback that parses the mails that it gets. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import type { Scope } from './temporary.js';

export interface Mailbox {
  mails: ParsedMail[];
  state: {
    /** It answers 450 to each recipient. */
    refuses: boolean;
    /** It takes a mail, and never answers. */
    hangs: boolean;
    /** Where set, it takes a mail, waits for this, and answers 451: as where its answer is lost. */
    loses: ((mail: ParsedMail) => Promise<unknown>) | null;
    /** Where set, it wants a login with this password. */
    password: string | null;
  };
  /** Settings that send mails to it. */
  settings: { smtp: string; smtpTls: 'off' };
}

/** @param password it wants a login of the user `dropslot` */
export async function openMailbox(scope: Scope, password: string | null = null): Promise<Mailbox> {
  const mails: ParsedMail[] = [];
  const state = { refuses: false, hangs: false, loses: null, password } as Mailbox['state'];
  const server = new SMTPServer({
    authOptional: password === null,
    allowInsecureAuth: true,
    closeTimeout: 50,
    disabledCommands: ['STARTTLS', ...(password === null ? ['AUTH'] : [])],
    onAuth: (auth, _session, done) =>
      auth.password === state.password ? done(null, { user: auth.username }) : done(new Error('wrong password')),
    onRcptTo: (_address, _session, done) =>
      done(state.refuses ? Object.assign(new Error('mailbox unavailable'), { responseCode: 450 }) : null),
    onData: (stream, _session, done) => {
      simpleParser(stream)
        .then(async (mail) => {
          mails.push(mail);
          if (state.loses !== null) {
            await state.loses(mail);
            throw Object.assign(new Error('try again later'), { responseCode: 451 });
          }
          if (!state.hangs) done();
        })
        .catch(done);
    },
  });
  server.on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  scope.after(() => new Promise<void>((resolve) => server.close(resolve)));
  const { port } = server.server.address() as AddressInfo;
  const user = password === null ? '' : 'dropslot@';
  return { mails, state, settings: { smtp: `smtp://${user}127.0.0.1:${port}`, smtpTls: 'off' } };
}
