/** Delivers events by mail: those of some minutes together, in one mail for each address. */
import type { Subscriber } from '../../db/control/eventsubscribers.js';
import type { Batch, Deliverer, Outcome } from '../deliverer.js';
import type { Envelope } from '../envelope.js';
import { composeMail } from './compose.js';
import type { Section, SectionContext } from './section.js';
import { needsAction, wordEvent } from './sections.js';
import type { Mail } from './transport.js';

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
  send(mail: Mail, signal: AbortSignal): Promise<void>;
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
    async deliver({ id, events, subscriber }: Batch, signal: AbortSignal): Promise<Outcome> {
      const { address, isOperator = false } = subscriber.options as unknown as MailOptions;
      const told = events.filter(({ type }) => needsAction(type) !== null);
      if (told.length === 0) return { result: 'delivered', detail: 'no mail reports these events' };
      // Whatever needs a hand comes first, and is never among those that are only counted.
      told.sort((one, other) => Number(needsAction(other.type)) - Number(needsAction(one.type)));
      try {
        const isOfOne = told.every(({ org }) => org === told[0]!.org);
        const { sections, about } = await wordAll(deps, told.slice(0, mostSections), { isOperator, isNamed: !isOfOne });
        const whose = isOfOne ? about : null;
        const left = Math.max(0, told.length - mostSections);
        const mail = composeMail(sections, { about: whose, left, footer: footerOf(deps, subscriber, whose) });
        await deps.send({ ...mail, to: address, id, headers: headersOf(deps, subscriber.id) }, signal);
        return { result: 'delivered', detail: `${told.length} in one mail` };
      } catch (error) {
        return { result: 'failed', detail: (error as Error).message.slice(0, 300) };
      }
    },
  };
}

/** @param isNamed each heading names its organization. @returns with the name of the first one */
async function wordAll(
  { contextOf }: MailDeps,
  events: readonly Envelope[],
  { isOperator, isNamed }: { isOperator: boolean; isNamed: boolean },
): Promise<{ sections: Section[]; about: string | null }> {
  const contexts = new Map<string | null, MailContext>();
  for (const { org } of events) if (!contexts.has(org)) contexts.set(org, await contextOf(org, isOperator));
  const sections: Section[] = [];
  for (const event of events) {
    const context = contexts.get(event.org)!;
    const section = (await wordEvent(event, context))!;
    const heading = isNamed && context.about !== null ? `${context.about}: ${section.heading}` : section.heading;
    sections.push({ ...section, heading });
  }
  return { sections, about: contexts.get(events[0]!.org)!.about };
}

function footerOf({ replyTo }: MailDeps, { id, org }: Subscriber, about: string | null): string[] {
  const cause =
    org === null
      ? 'your address is in the setting operatorMail of the server'
      : `your address was added to the mails about ${about ?? org}`;
  const ask = replyTo === null ? 'ask your operator' : `write to ${replyTo}`;
  return [`You get this mail because ${cause}. To end or change these mails, ${ask} (${id}).`];
}

function headersOf({ replyTo }: MailDeps, id: string): Record<string, string> {
  const common = { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' };
  if (replyTo === null) return common;
  const address = /<([^>]+)>/.exec(replyTo)?.[1] ?? replyTo;
  return { ...common, 'List-Unsubscribe': `<mailto:${address}?subject=unsubscribe%20${id}>` };
}
