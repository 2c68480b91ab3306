/** One SSH connection: its deadlines, its login, and the SFTP sessions on it. It serves the sftp subsystem, nothing else. */
import type { Socket } from 'node:net';
import type { Session as Channel, Connection as Client, ClientInfo, ServerChannel } from 'ssh2';
import type { Logger } from '../../config/logger.js';
import type { HostKey } from '../../keys/host/hostkeys.js';
import type { Denial, Login } from '../../keys/login/authenticate.js';
import { type Session, type SessionEnd, serveStream } from '../sftp/session.js';
import type { ServerDeps } from '../types.js';
import { userSignatures } from './algorithms.js';
import type { FailedLogins } from './failedlogins.js';
import { serveHostKeys } from './hostkeyproof.js';
import { serveLogin } from './login.js';
import type { LogLimiter } from './loglimiter.js';
import type { Offence } from './penalties.js';
import type { Origin, Reception } from './reception.js';
import { type Rekeying, rekeyRegularly } from './rekey.js';
import type { OrgLimits, SessionLimits } from './sessionlimits.js';
import type { Source } from './source.js';
import {
  allowPacketsInExchange,
  announceSignatures,
  closeUnusedSession,
  dropSha1HostKeys,
  watchWindow,
} from './ssh2fixes.js';

/** How long a peer that was told to go may take to close its side. */
const closeGraceMs = 2000;

/** What a client sends until it is logged in: a tenth of this, with many keys. */
const mostBytesBeforeLogin = 256 * 1024;

/** A session that finished its upload while the server stops: clients still set times and look at the result. */
const quietMs = 300;

export interface ConnectionDeps extends Omit<ServerDeps, 'hostKeys' | 'control'> {
  sessionLimits: SessionLimits;
  reception: Pick<Reception, 'recordLogin' | 'recordEnd'>;
  logLimiter: LogLimiter;
  failedLogins: FailedLogins;
}

export class Connection {
  /** Resolves when the socket is closed and every session on it has ended. */
  readonly closed: Promise<void>;
  /** Whether keys that were allowed it may sign with SHA-1 here. */
  takesSha1 = false;

  readonly #address: string;
  readonly #logger: Logger;
  readonly #sessions = new Set<Session>();
  readonly #totals = { bytesReceived: 0, bytesSent: 0, filesReceived: 0, filesSent: 0 };
  #deadline: NodeJS.Timeout;
  #client: Client | null = null;
  #program = '';
  #agreed = '';
  #login: Login | null = null;
  #limits: OrgLimits | null = null;
  #rekeying: Rekeying | null = null;
  /** What it will have done wrong if it ends without a login; null: nothing. */
  #offence: Offence | null = 'left without a login';
  #hadWrongKeys = false;
  #release = () => {};
  readonly #channels = new Set<Channel>();
  #requests = 0;
  #recorded: Promise<void> = Promise.resolve();
  #isClosing = false;
  readonly #socket: Socket;
  readonly #origin: Origin;
  readonly #deps: ConnectionDeps;

  constructor(socket: Socket, origin: Origin, deps: ConnectionDeps) {
    this.#socket = socket;
    this.#origin = origin;
    this.#deps = deps;
    this.#address = origin.address;
    this.#logger = deps.logger.child({ address: this.#address });
    socket.on('error', (error) => this.#logger.debug('socket failed', { detail: error.message }));
    this.#deadline = setTimeout(
      () => this.close('not logged in in time', 'no login in time'),
      deps.settings.loginSeconds * 1000,
    );
    this.closed = new Promise((resolve) => {
      socket.once('close', () => resolve(this.#finish()));
    });
  }

  /** Takes over what ssh2 made of the socket. Runs before ssh2 reads the first packet. */
  attach(client: Client, { header }: ClientInfo, hostKeys: readonly HostKey[]): void {
    this.#client = client;
    this.#program = header.versions.software.replace(/[^\x21-\x7e]/g, '').slice(0, 100);
    // Without this listener one malformed packet ends the process.
    client.on('error', (error: Error) => {
      if (this.#login !== null || this.#deps.logLimiter.allows('connection failed', 60))
        this.#logger.info('connection failed', { client: this.#program, detail: toPrintable(error.message) });
      this.close('connection failed', isNonsense(error) ? 'not the SSH protocol' : undefined);
    });
    client.on('end', () => this.#onClientGone());
    this.#limitBeforeLogin(client);
    client.once('handshake', ({ kex, cs }) => {
      this.#agreed = `${kex} ${cs.cipher}`;
    });
    dropSha1HostKeys(client);
    announceSignatures(client, userSignatures);
    allowPacketsInExchange(client, () => this.#rekeying?.notice());
    serveHostKeys(client, this.#program, hostKeys);
    serveLogin(client, {
      authenticator: this.#deps.authenticator,
      logger: this.#logger.child({ client: this.#program }),
      address: this.#address,
      maxAttempts: this.#deps.settings.loginAttempts,
      takesSha1: this.takesSha1,
      onRefusal: () => {
        this.#hadWrongKeys = true;
      },
      mayLog: (message) => this.#deps.logLimiter.allows(message, 60),
      recordRefusal: (org, denial, isProven) => this.#recordRefusal(org, denial, isProven),
      acceptLogin: (login) => this.#acceptLogin(login),
      close: (reason, offence) => this.close(reason, offence),
    });
    client.on('session', (accept, reject) => {
      if (this.#channels.size >= this.#deps.settings.maxChannels || this.#limits?.openSession() !== true) reject();
      else this.#openChannel(client, accept());
    });
  }

  /**
   * Ends the connection now; uploads in progress publish nothing. `offence`: what the client did, should it not have
   * logged in; null: nothing wrong.
   */
  close(reason: string, offence: Offence | null = this.#offence): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#offence = offence;
    this.#logger.debug('closing connection', { reason, org: this.#login?.org.id });
    for (const session of this.#sessions) session.abort();
    if (this.#client === null) this.#socket.destroy();
    else this.#client.end();
    // A stranger gets no time to say more: each of its sockets counts against it until it is closed.
    if (this.#login === null) this.#socket.destroySoon();
    setTimeout(() => this.#socket.destroy(), closeGraceMs).unref();
  }

  /** Ends the connection if it came from `source` and has not logged in. */
  closeUnauthenticated(source: Source): void {
    if (this.#login === null && this.#origin.source === source && !this.#origin.isExempt)
      this.close('its address must pause', null);
  }

  /** Ends the connection as soon as it has no upload in progress: at once, when it has none now. */
  closeWhenQuiet(): void {
    if (!this.#isBusy()) {
      this.close('the server stops', null);
      return;
    }
    const stepMs = 50;
    let quietForMs = 0;
    let seen = this.#requests;
    const timer = setInterval(() => {
      quietForMs = this.#isBusy() || this.#requests !== seen ? 0 : quietForMs + stepMs;
      seen = this.#requests;
      if (quietForMs < quietMs && !this.#isClosing) return;
      clearInterval(timer);
      this.close('the server stops');
    }, stepMs);
  }

  #isBusy(): boolean {
    return [...this.#sessions].some((session) => session.isBusy);
  }

  #acceptLogin(login: Login): boolean {
    if (this.#isClosing) return false;
    this.#limits = this.#deps.sessionLimits.openConnection(login.org);
    if (this.#limits === null) {
      this.#logger.warn('login refused', { org: login.org.id, reason: 'too many connections of this organization' });
      this.close('too many connections of this organization', null);
      return false;
    }
    this.#login = login;
    this.#deps.reception.recordLogin(this.#origin);
    this.#rekeying = this.#startRekeying();
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.close('idle'), this.#deps.settings.idleMinutes * 60_000);
    const { org, fingerprint, certificate } = login;
    const signer = certificate === null ? {} : { authority: login.credential, serial: certificate.serial };
    this.#logger.info('logged in', { org: org.id, key: fingerprint, client: this.#program, ...signer });
    this.#release = this.#deps.access.guard(login, this.#address, (reason) => this.#endLogin(login, reason));
    const place = { address: this.#address, client: this.#program, algorithms: this.#agreed };
    this.#trackRecord(
      this.#deps.authenticator.recordLogin(login, place).catch((error: Error) => {
        this.#logger.error('login not recorded', { org: org.id, detail: error.message });
        // Nobody is here without a trace; and no upload could be queued, and no file read, without the database.
        this.close('login not recorded');
      }),
    );
    return true;
  }

  /** Keys cost, and packets, too: before the login there is one exchange, and few packets. */
  #limitBeforeLogin(client: Client): void {
    client.on('rekey', () => {
      if (this.#login === null) this.close('new keys before the login', 'not the SSH protocol');
    });
    const count = (): void => {
      if (this.#login !== null) this.#socket.off('data', count);
      else if (this.#socket.bytesRead > mostBytesBeforeLogin)
        this.close('too much before the login', 'not the SSH protocol');
    };
    this.#socket.on('data', count);
  }

  #recordRefusal(org: string, denial: Denial, isProven: boolean): void {
    this.#trackRecord(
      this.#deps.authenticator
        .recordRefusal(org, denial, { address: this.#address, client: this.#program, isProven })
        .catch((error: Error) => void this.#logger.error('refusal not recorded', { org, detail: error.message })),
    );
  }

  /** Before the connection counts as closed. */
  #trackRecord(record: Promise<void>): void {
    this.#recorded = Promise.all([this.#recorded, record]).then(() => {});
  }

  #startRekeying(): Rekeying | null {
    const { settings } = this.#deps;
    if (this.#client === null) return null;
    return rekeyRegularly(this.#client, this.#socket, {
      bytes: settings.rekeyBytes,
      minutes: settings.rekeyMinutes,
      answerMs: settings.loginSeconds * 1000,
      hold: (isHeld) => {
        for (const session of this.#sessions) session.hold(isHeld);
      },
      onNoAnswer: () => this.close('no answer to new keys'),
      onTooOften: () => this.close('new keys again and again'),
    });
  }

  /** The login holds no longer: what it was doing is cut off. */
  #endLogin({ org, fingerprint }: Login, reason: string): void {
    this.#logger.warn('session ended', { org: org.id, key: fingerprint, client: this.#program, reason });
    this.close(reason);
  }

  #openChannel(client: Client, channel: Channel): void {
    this.#channels.add(channel);
    channel.once('close', () => {
      this.#forgetChannel(channel);
      closeUnusedSession(client, channel);
    });
    channel.on('subsystem', (accept, reject, { name }) => {
      const [login, limits] = [this.#login, this.#limits];
      if (name !== 'sftp' || login === null || limits === null || this.#isClosing) reject();
      else this.#serveSftp(channel, accept, login, limits);
    });
  }

  /** ssh2 tells of each close but those that come with the connection's end. */
  #forgetChannel(channel: Channel): void {
    if (this.#channels.delete(channel)) this.#limits?.closeSession();
  }

  #serveSftp(channel: Channel, accept: () => ServerChannel, login: Login, limits: OrgLimits): void {
    const sender = { keyFingerprint: login.fingerprint, address: this.#address, client: this.#program };
    const { space, intake } = this.#deps.openSession(login, sender);
    const stream = accept();
    watchWindow(stream, () => this.close('more data than its window allows'));
    const session = serveStream(stream, {
      space,
      intake,
      logger: this.#logger.child({ org: login.org.id }),
      now: this.#deps.now,
      maxHandles: this.#deps.settings.maxHandles,
      handleShare: limits.handles,
      buckets: limits.buckets,
      uploadOnly: login.permission === 'upload',
      outlet: this.#socket,
      onRequest: () => {
        this.#requests++;
        this.#deadline.refresh();
        this.#rekeying?.check();
      },
    });
    this.#sessions.add(session);
    // The client has closed the channel: the stream itself may never say so while replies wait in it.
    channel.once('close', () => session.dropReplies());
    void session.ended.then((end) => this.#endSession(session, stream, end));
  }

  #endSession(session: Session, stream: ServerChannel, end: SessionEnd): void {
    this.#sessions.delete(session);
    const totals = this.#totals;
    for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += session.tally[name];
    if (this.#socket.destroyed) return;
    // OpenSSH's sftp waits for the exit status and for the channel's close, or it hangs at its end.
    stream.exit(end === 'closed' ? 0 : 1);
    stream.end();
  }

  #onClientGone(): void {
    for (const session of this.#sessions) session.dropReplies();
  }

  async #finish(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#deadline);
    this.#rekeying?.stop();
    if (this.#login === null) this.#deps.reception.recordEnd(this.#origin, this.#offenceAtEnd());
    this.#onClientGone();
    await Promise.all([...this.#sessions].map((session) => session.ended));
    for (const channel of this.#channels) this.#forgetChannel(channel);
    await this.#recorded;
    this.#release();
    if (this.#login === null && this.#hadWrongKeys) this.#deps.failedLogins.count(this.#address);
    if (this.#login === null) return;
    this.#deps.sessionLimits.closeConnection(this.#login.org.id);
    this.#logger.info('logged out', { org: this.#login.org.id, client: this.#program, ...this.#totals });
  }

  #offenceAtEnd(): Offence | null {
    const isVague = this.#offence === 'left without a login' || this.#offence === 'no login in time';
    return isVague && this.#hadWrongKeys ? 'wrong keys' : this.#offence;
  }
}

/** What no SSH client sends; clients that have no algorithm in common with us, or that change their mind, are none such. */
function isNonsense({ message, level, code }: Error & { level?: string; code?: unknown }): boolean {
  // What ssh2 stumbles over has no level, the client's own farewell a code.
  if (level === undefined) return code === undefined;
  return level === 'protocol' || (level === 'handshake' && !/no matching/i.test(message));
}

/** The words may be the client's: it disconnects with a text of its choice. */
function toPrintable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
