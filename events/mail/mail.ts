/** Delivers events by mail: those of some minutes together, in one mail for each address. */
import type { Batch, Deliverer, Outcome } from '../deliverer.js';
import { composeMail } from './compose.js';
import { type SectionContext, wordEvent } from './sections.js';
import type { Mailer } from './transport.js';

/** The options of a mail's row. */
export interface MailOptions {
  address: string;
  /** Hash of the code that confirms the address; left out: it is confirmed. */
  codeHash?: string;
  /** It is in the setting `operatorMail`. */
  isOperator?: boolean;
}

export interface MailContext extends SectionContext {
  /** Name of the organization; null: the whole server. */
  about: string | null;
}

export interface MailDeps {
  /** @throws Error when no mail server is set, or its password can't be read */
  openMailer(): Promise<Mailer>;
  /** @param org null: of the whole server. @param isOperator the reader has the command line */
  contextOf(org: string | null, isOperator: boolean): Promise<MailContext>;
  /** Whom readers ask to end the mails. */
  replyTo: string | null;
  gatherMs: number;
}

const concurrency = 4;
const mostEvents = 200;
/** Of one mail: the rest is counted. */
const mostSections = 20;

export function createMailDeliverer(deps: MailDeps): Deliverer {
  return {
    kind: 'mail',
    concurrency,
    gather: { ms: deps.gatherMs, most: mostEvents },
    async deliver({ id, events, subscriber }: Batch): Promise<Outcome> {
      const { address, isOperator = false } = subscriber.options as unknown as MailOptions;
      try {
        const mailer = await deps.openMailer();
        const orgs = [...new Set(events.map(({ org }) => org))];
        const contexts = new Map<string | null, MailContext>();
        for (const org of orgs) contexts.set(org, await deps.contextOf(org, isOperator));
        const worded = [];
        for (const event of events) {
          const section = await wordEvent(event, contexts.get(event.org)!);
          if (section === null) continue;
          const { about } = contexts.get(event.org)!;
          const heading = orgs.length > 1 && about !== null ? `${about}: ${section.heading}` : section.heading;
          worded.push({ ...section, heading });
        }
        if (worded.length === 0) return { result: 'delivered', detail: 'nothing to tell' };
        // Whatever needs a hand comes first, and is never among those that are only counted.
        worded.sort((one, other) => Number(other.needsAction) - Number(one.needsAction));
        const left = worded.length - mostSections;
        const about = orgs.length === 1 ? contexts.get(orgs[0]!)!.about : null;
        const mail = composeMail(worded.slice(0, mostSections), {
          about,
          footer: [...(left > 0 ? [`And ${left} more messages.`] : []), ...footerOf(deps, subscriber.id, about)],
        });
        await mailer.send({ ...mail, to: address, id, headers: headersOf(deps, subscriber.id) });
        return { result: 'delivered', detail: `${worded.length} in one mail` };
      } catch (error) {
        return { result: 'failed', detail: (error as Error).message.slice(0, 300) };
      }
    },
  };
}

function footerOf({ replyTo }: MailDeps, id: string, about: string | null): string[] {
  const whose = about === null ? 'the operators of this server' : about;
  const ask = replyTo === null ? 'ask your operator' : `write to ${replyTo}`;
  return [`Dropslot sends this mail to ${whose}. To end or change these mails, ${ask} (${id}).`];
}

function headersOf({ replyTo }: MailDeps, id: string): Record<string, string> {
  const common = { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' };
  if (replyTo === null) return common;
  const address = /<([^>]+)>/.exec(replyTo)?.[1] ?? replyTo;
  return { ...common, 'List-Unsubscribe': `<mailto:${address}?subject=unsubscribe%20${id}>` };
}
