/** Owns one SSH connection: its deadlines, its login and its SFTP sessions. It serves the sftp subsystem and nothing else. */
import type { Socket } from 'node:net';
import type { Session as Channel, Connection as Client, ClientInfo, ServerChannel } from 'ssh2';
import type { Logger } from '../../config/logger.js';
import type { MemoryShare } from '../../intake/memory.js';
import type { HostKey } from '../../keys/host/hostkeys.js';
import type { Denial, Login } from '../../keys/login/authenticate.js';
import type { Progress, SessionRegister } from '../sessionregister.js';
import { type Session, type SessionEnd, serveStream } from '../sftp/session.js';
import type { ServerDeps } from '../types.js';
import { userSignatures } from './algorithms.js';
import type { FailedLogins } from './failedlogins.js';
import { accessEnded, bidFarewell, endedByOperator, type Farewell, memoryHeld, withContact } from './farewell.js';
import type { Gate } from './gate.js';
import { gatherWrites } from './gather.js';
import { serveHostKeys } from './hostkeyproof.js';
import { serveLogin } from './login.js';
import type { LogLimiter } from './loglimiter.js';
import type { Offence } from './penalties.js';
import { type Rekeying, rekeyRegularly } from './rekey.js';
import type { OrgLimits, SessionLimits } from './sessionlimits.js';
import {
  allowPacketsInExchange,
  announceSignatures,
  boundAnswers,
  closeUnusedSession,
  dropSha1HostKeys,
  refuseLateChannelRequests,
  rejectChannel,
  sendDisconnect,
  watchWindow,
} from './ssh2fixes.js';

/** How long a client may take to close its side after the server has ended the connection. */
const closeGraceMs = 2000;

/** Clients with many keys send a tenth of this before they are logged in. */
const mostBytesBeforeLogin = 256 * 1024;

/** Data that a session has not read, past which the connection is paused while its organization has no memory. */
const mostUnreadWhenFull = 256 * 1024;

/** After its last upload a stopping server waits this long: clients still set times and stat the result. */
const quietMs = 300;

export interface ConnectionDeps extends Omit<ServerDeps, 'hostKeys' | 'control'> {
  sessionLimits: SessionLimits;
  logLimiter: LogLimiter;
  failedLogins: Pick<FailedLogins, 'count'>;
  register: Pick<SessionRegister, 'add'>;
}

export class Connection {
  /** Resolves when the socket is closed and every session on it has ended. */
  readonly closed: Promise<void>;
  /** Whether login keys that an operator allowed SHA-1 may use it on this connection. */
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
  /** The offence to charge if the connection ends without a login; null: none. */
  #offence: Offence | null = 'left without a login';
  #hadWrongKeys = false;
  /** The user name that it offered keys or passwords for. */
  #user: string | null = null;
  #release = () => {};
  readonly #channels = new Set<Channel>();
  /** Whose place is being asked for. */
  #openingChannels = 0;
  #requests = 0;
  #recorded: Promise<void> = Promise.resolve();
  #isClosing = false;
  readonly #socket: Socket;
  readonly #gate: Gate;
  readonly #deps: ConnectionDeps;

  constructor(socket: Socket, gate: Gate, deps: ConnectionDeps) {
    this.#socket = socket;
    this.#gate = gate;
    this.#deps = deps;
    this.#address = gate.address;
    this.#logger = deps.logger.child({ address: this.#address });
    gatherWrites(socket);
    socket.on('error', (error) => this.#logger.debug('socket failed', { detail: error.message }));
    this.#deadline = setTimeout(
      () => this.close('not logged in in time', 'no login in time'),
      deps.settings.loginSeconds * 1000,
    );
    this.closed = new Promise((resolve) => {
      socket.once('close', () => resolve(this.#finish()));
    });
  }

  /** Takes over ssh2's connection on the socket. Runs before ssh2 reads the first packet. */
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
    refuseLateChannelRequests(client);
    serveHostKeys(client, this.#program, hostKeys);
    boundAnswers(client);
    serveLogin(client, {
      authenticator: this.#deps.authenticator,
      logger: this.#logger.child({ client: this.#program }),
      address: this.#address,
      maxAttempts: this.#deps.settings.loginAttempts,
      takesSha1: this.takesSha1,
      contact: this.#deps.settings.contact,
      isStranger: this.#gate.isStranger,
      admitAttempt: (user, credential, kind) => this.#gate.admitAttempt({ user, credential, kind }),
      onRefusal: (user) => {
        this.#hadWrongKeys = true;
        this.#user = user;
      },
      mayLog: (message) => this.#deps.logLimiter.allows(message, 60),
      recordRefusal: (...refusal) => this.#recordRefusal(...refusal),
      acceptLogin: (login) => this.#acceptLogin(login),
      close: (reason, offence) => this.close(reason, offence),
    });
    client.on('session', (accept, reject) => {
      if (this.#channels.size + this.#openingChannels >= this.#deps.settings.maxChannels)
        rejectChannel(client, reject, 'this connection has as many sessions as it may have');
      else this.#admitChannel(client, accept, reject);
    });
  }

  /**
   * Ends the connection now; uploads in progress publish nothing. `offence` is charged to the client's address unless the
   * client has logged in; null: none. `farewell` tells the client why.
   */
  close(reason: string, offence: Offence | null = this.#offence, farewell?: Farewell): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#offence = offence;
    this.#logger.debug('closing connection', { reason, org: this.#login?.org.id });
    for (const session of this.#sessions) session.abort();
    const { contact } = this.#deps.settings;
    if (this.#client === null) this.#socket.destroy();
    else
      this.#disconnect(
        this.#client,
        farewell === undefined ? bidFarewell(reason, contact) : withContact(farewell, contact),
      );
    // A client without a login gets no grace: its open socket counts against the limits of its address.
    if (this.#login === null) this.#socket.destroySoon();
    setTimeout(() => this.#socket.destroy(), closeGraceMs).unref();
  }

  #disconnect(client: Client, { code, text }: Farewell): void {
    // ssh2 sends its own message, without a sentence, when it ends a connection.
    if (!this.#socket.writable || this.#socket.readableEnded) return;
    if (text === '') client.end();
    else {
      sendDisconnect(client, code, text);
      this.#socket.end();
    }
  }

  /** Ends the connection if it has not logged in and its address has a penalty by now. */
  closeUnauthenticated(): void {
    if (this.#login === null && this.#gate.isClosed) this.close('its address has a penalty', null);
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

  async #acceptLogin(login: Login): Promise<boolean> {
    if (this.#isClosing) return false;
    const limits = await this.#deps.sessionLimits.openConnection(login.org);
    // It ended meanwhile, or the client has sent two logins at once, of which the first keeps its limits.
    if (this.#isClosing || this.#login !== null) {
      if (limits !== null) this.#deps.sessionLimits.closeConnection(login.org.id);
      return false;
    }
    this.#limits = limits;
    if (limits === null) {
      this.#logger.warn('login refused', { org: login.org.id, reason: 'too many connections of this organization' });
      const { fingerprint, credential } = login;
      if (this.#deps.logLimiter.allows(`refusal of too many connections of ${login.org.id}`, 60))
        this.#recordRefusal(login.org.id, { denied: 'too many connections', fingerprint, credential }, true, true);
      this.close('too many connections of this organization', null);
      return false;
    }
    this.#login = login;
    this.#gate.recordLogin(login.org.id, login.credential);
    this.#rekeying = this.#startRekeying();
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.close('idle'), this.#deps.settings.idleMinutes * 60_000);
    const { org, fingerprint, certificate } = login;
    const signer = certificate === null ? {} : { authority: login.credential, serial: certificate.serial };
    this.#logger.info('logged in', { org: org.id, key: fingerprint, client: this.#program, ...signer });
    const release = this.#deps.access.guard(login, this.#address, (reason) => this.#endLogin(login, reason));
    const remove = this.#deps.register.add({
      ...{ org: org.id, fingerprint, address: this.#address, client: this.#program },
      progress: () => this.#progress(),
      end: (by) => this.#endLogin(login, `ended by ${by}`, endedByOperator),
    });
    this.#release = () => {
      release();
      remove();
    };
    const details = { address: this.#address, client: this.#program, algorithms: this.#agreed };
    this.#trackRecord(
      this.#deps.authenticator.recordLogin(login, details).catch((error: Error) => {
        this.#logger.error('could not record a login in the audit trail; closing the connection', {
          org: org.id,
          detail: error.message,
        });
        // Every login must be in the audit trail, and without the database no upload could be queued and no file read.
        this.close('login could not be recorded');
      }),
    );
    return true;
  }

  /** Key exchanges and packets cost time: a client gets one exchange and few packets before its login. */
  #limitBeforeLogin(client: Client): void {
    client.on('rekey', () => {
      if (this.#login === null) this.close('a second key exchange before the login', 'not the SSH protocol');
    });
    const count = (): void => {
      if (this.#login !== null) this.#socket.off('data', count);
      else if (this.#socket.bytesRead > mostBytesBeforeLogin)
        this.close('too many bytes before the login', 'not the SSH protocol');
    };
    this.#socket.on('data', count);
  }

  #recordRefusal(org: string, denial: Denial, isProven: boolean, isOwn: boolean): void {
    this.#trackRecord(
      this.#deps.authenticator
        .recordRefusal(org, denial, { address: this.#address, client: this.#program, isProven, isOwn })
        .catch(
          (error: Error) =>
            void this.#logger.error('could not record a refused login in the audit trail; it is missing there', {
              org,
              detail: error.message,
            }),
        ),
    );
  }

  /** Makes `closed` wait for an audit record. */
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
      onNoAnswer: () => this.close('no answer to a key exchange'),
      onTooOften: () => this.close('too many key exchanges'),
    });
  }

  /** The login is no longer valid, or an operator ends it: aborts everything that the session is doing. */
  #endLogin({ org, fingerprint }: Login, reason: string, farewell: Farewell = accessEnded): void {
    this.#logger.warn('session ended', { org: org.id, key: fingerprint, client: this.#program, reason });
    this.close(reason, undefined, farewell);
  }

  /** Of its SFTP sessions, also of those that have ended. */
  #progress(): Progress {
    const sum = { ...this.#totals, openFiles: 0, openBytes: 0 };
    for (const { progress } of this.#sessions)
      for (const name of Object.keys(sum) as (keyof Progress)[]) sum[name] += progress[name];
    return sum;
  }

  /** At once where no other process is asked: a client may send requests for the channel before it has the answer. */
  #admitChannel(client: Client, accept: () => Channel, reject: () => void): void {
    const answer = (isAdmitted: boolean) => {
      if (isAdmitted && this.#isClosing) this.#limits?.closeSession();
      else if (isAdmitted) this.#openChannel(client, accept());
      else rejectChannel(client, reject, 'your organization has as many sessions as it may have');
    };
    const isAdmitted = this.#limits?.openSession() ?? false;
    if (typeof isAdmitted === 'boolean') {
      answer(isAdmitted);
      return;
    }
    this.#openingChannels++;
    void isAdmitted.then((isYes) => {
      this.#openingChannels--;
      answer(isYes);
    });
  }

  #openChannel(client: Client, channel: Channel): void {
    this.#channels.add(channel);
    channel.once('close', () => {
      this.#forgetChannel(channel);
      closeUnusedSession(client, channel);
    });
    channel.on('subsystem', (accept, reject: (() => void) | undefined, { name }) => {
      const [login, limits] = [this.#login, this.#limits];
      // ssh2 gives none for a request that wants no reply.
      if (name !== 'sftp' || login === null || limits === null || this.#isClosing) reject?.();
      else this.#serveSftp(channel, accept, login, limits);
    });
  }

  /** ssh2 reports the close of each channel, but not of those that end with the connection. */
  #forgetChannel(channel: Channel): void {
    if (this.#channels.delete(channel)) this.#limits?.closeSession();
  }

  #serveSftp(channel: Channel, accept: () => ServerChannel, login: Login, limits: OrgLimits): void {
    const sender = { keyFingerprint: login.fingerprint, address: this.#address, client: this.#program };
    const { space, intake } = this.#deps.openSession(login, sender);
    const stream = accept();
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
    const { memory } = intake;
    memory.onStalled = (heldBytes) => this.#endStalled(login, heldBytes);
    watchWindow(stream, {
      onOverrun: () => this.close('more data than its window allows'),
      onArrival: (bytes) => {
        memory.add(bytes);
        if (memory.isFull && stream.readableLength > mostUnreadWhenFull) this.#pauseUntilRoom(memory);
      },
      onRead: (bytes) => memory.release(bytes),
    });
    // The client has closed the channel: the stream may never report that while replies wait in it.
    channel.once('close', () => session.dropReplies());
    void session.ended.then((end) => this.#endSession(session, stream, end));
  }

  /** TCP then slows the client, which has more data on its way than its organization has memory for. */
  #pauseUntilRoom(memory: MemoryShare): void {
    if (this.#socket.isPaused()) return;
    this.#socket.pause();
    memory.whenRoom(() => this.#socket.resume());
  }

  /** It holds the most memory of an organization that is at its limit, and has released none for a time. */
  #endStalled({ org }: Login, heldBytes: number): void {
    const reason = 'memory held without progress';
    this.#logger.warn('session ended', { org: org.id, client: this.#program, reason, heldBytes });
    this.close(reason, undefined, memoryHeld);
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
    if (this.#login === null) this.#gate.recordEnd(this.#offenceAtEnd(), this.#user);
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

/** Whether the client broke the SSH protocol. Having no algorithm in common, or disconnecting, breaks nothing. */
function isNonsense({ message, level, code }: Error & { level?: string; code?: unknown }): boolean {
  // An error of ssh2's parser has no level; a client's disconnect message has a code.
  if (level === undefined) return code === undefined;
  return level === 'protocol' || (level === 'handshake' && !/no matching/i.test(message));
}

/** The client may have chosen the text: a disconnect message carries one. */
function toPrintable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
