/** Makes the deliverer of mails from the settings: the mail server, the names of organizations, and whom to ask. */
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import { findOrg, type Org } from '../../db/control/orgs.js';
import { findRun } from '../../db/control/runs.js';
import { findUpload } from '../../db/control/uploads.js';
import type { Deliverer } from '../deliverer.js';
import { createMailDeliverer, type MailContext } from './mail.js';
import { sendMail } from './transport.js';

export interface MailServiceDeps {
  control: Db;
  settings: Settings;
  /** The sentence of a code of the import rules, without values. */
  explainCode(code: string): string | null;
  /** When the organization's queued files are imported next, in ms; null: at no fixed time. */
  nextImport(org: Org, now: number): number | null;
  now: () => number;
}

export function createMailService({ control, settings, explainCode, nextImport, now }: MailServiceDeps): Deliverer {
  return createMailDeliverer({
    send: (mail, signal) => sendMail(settings, mail, signal),
    contextOf: async (id, isOperator): Promise<MailContext> => {
      const org = id === null ? null : await findOrg(control.read, id);
      return {
        ...{ isOperator, explainCode },
        about: org === null ? id : isOperator ? `${org.name} (${org.id})` : org.name,
        nameOf: async (upload) => {
          const found = upload === null ? null : await findUpload(control.read, upload);
          return found === null ? null : nameOnOneLine(found.path);
        },
        nextImport: org === null ? null : nextImport(org, now()),
        timeZone: org?.timeZone ?? 'UTC',
        contact: org?.options.contact ?? settings.contact ?? null,
        problemsOf: async (run) => describeProblems((await findRun(control.read, run))?.summary, explainCode),
      };
    },
    replyTo: settings.mailReplyTo ?? settings.contact ?? null,
    gatherMs: settings.mailGatherMinutes * 60_000,
  });
}

const mostName = 100;

/** A name that a client chose. */
function nameOnOneLine(path: string): string {
  const name = path
    .split('/')
    .at(-1)!
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
  return name.length > mostName ? `${name.slice(0, mostName)}…` : name;
}

interface Summarized {
  files?: readonly {
    name: string;
    problems?: readonly { line: number | null; column: string | null; code: string; severity: string; count: number }[];
  }[];
}

const mostProblems = 10;

/** Of several files together, the most frequent first. Messages may quote cells: their form without values stands for them. */
function describeProblems(summary: unknown, explainCode: (code: string) => string | null): string[] {
  const { files = [] } = (summary ?? {}) as Summarized;
  const problems = files.flatMap(({ name, problems = [] }) => problems.map((problem) => ({ ...problem, name })));
  const counted = problems.filter(({ severity }) => severity === 'fault' || severity === 'warning');
  counted.sort(
    (one, other) => Number(other.severity === 'fault') - Number(one.severity === 'fault') || other.count - one.count,
  );
  return counted.slice(0, mostProblems).map(({ name, line, column, code, count }) => {
    const place = [line === null ? null : `line ${line}`, column].filter((part) => part !== null).join(', ');
    const times = count === 1 ? '' : ` ${count} times, first in`;
    return `${explainCode(code) ?? code} (${name}${place === '' ? '' : `:${times} ${place}`})`;
  });
}
