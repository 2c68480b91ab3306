/** Holds what a worker that does not answer is told of the others, summed up: message by message it would fill the memory of the front. */
import { type FrontMessage, noUsage, type OrgUsage } from './messages.js';

export class LateUsage {
  readonly #orgs = new Map<string, OrgUsage>();
  #totalBytes: number | null = null;

  /** false: it is of another kind, and is not held. */
  hold(message: FrontMessage): boolean {
    if (message.type === 'othersTotal') this.#totalBytes = message.bytes;
    else if (message.type === 'others') {
      const { up, down, records } = this.#orgs.get(message.org) ?? noUsage;
      const { usage } = message;
      const spent = { up: up + usage.up, down: down + usage.down, records: records + usage.records };
      this.#orgs.set(message.org, { ...usage, ...spent });
    } else return false;
    return true;
  }

  /** Must be sent before any later message: one that says that the usage of the others has ended would be undone. */
  take(): FrontMessage[] {
    const messages = [...this.#orgs].map(([org, usage]): FrontMessage => ({ type: 'others', org, usage }));
    if (this.#totalBytes !== null) messages.push({ type: 'othersTotal', bytes: this.#totalBytes });
    this.#orgs.clear();
    this.#totalBytes = null;
    return messages;
  }
}
