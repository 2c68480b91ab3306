/** A workplace with the organization acme, a mail server and a clock, for tests of mails and their addresses. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ParsedMail } from 'mailparser';
import { settingsSchema } from '../../config/settings.js';
import { recordEvent } from '../../db/control/events.js';
import { insertOrg } from '../../db/control/orgs.js';
import type { Deliveries } from '../../events/delivery.js';
import { createMailService } from '../../events/mail/service.js';
import { explainCode } from '../../importer/codes.js';
import { nextImport } from '../../importer/schedule/nextimport.js';
import { addNotification, confirmNotification } from '../../operations/notifycode.js';
import { openFresh, type TestDatabases } from './databases.js';
import { deliverTo } from './events.js';
import { openMailbox } from './mailbox.js';
import { sampleOrg } from './samples.js';
import type { Scope } from './temporary.js';
import { workplaceOn } from './workplace.js';

export type MailPlace = Awaited<ReturnType<typeof openMailPlace>>;

export async function openMailPlace(
  t: TestContext,
  open = (scope: Scope): Promise<TestDatabases> => openFresh(scope, 'sqlite'),
) {
  const started: Deliveries[] = [];
  // Before the databases are closed: a query to a closed pool waits for a minute.
  t.after(async () => {
    for (const each of started) await each.stop();
  });
  const box = await openMailbox(t);
  const clock = { now: Date.UTC(2026, 1, 2, 9) };
  const databases = await open(t);
  const given = { ...databases.settings, ...box.settings, mailGatherMinutes: 5, mailReplyTo: 'IT <it@acme.test>' };
  const opened = await workplaceOn(t, settingsSchema.parse(given));
  const place = { ...opened, now: () => clock.now };
  const { control, directory, settings } = place;
  await insertOrg(control.write, sampleOrg('acme', { name: 'Acme <Corp>', timeZone: 'Europe/Berlin' }));
  const service = createMailService({
    control,
    settings,
    explainCode,
    nextImport: (of, at) => nextImport(of, at, 0),
    now: () => clock.now,
  });
  /** Delivers until the test ends. */
  const deliver = () => {
    const deliveries = deliverTo(t, { control, directory }, service, { now: () => clock.now });
    started.push(deliveries);
    return deliveries;
  };
  const until = async (is: () => boolean | Promise<boolean>) => {
    for (let tries = 0; !(await is()); tries++) {
      assert.ok(tries < 3000, 'it happens in time');
      await sleep(10);
    }
  };
  const held = (run: number) =>
    control.transact((tx) =>
      recordEvent(tx, { at: clock.now, org: 'acme', type: 'run.held', run, subject: `run ${run}`, data: { run } }),
    );
  return { ...box, place, clock, settings, control, directory, service, deliver, until, held };
}

export const codeIn = ({ text }: ParsedMail) => /\d{4} \d{4}/.exec(text!)![0];

/** Adds the address hr@acme.test and confirms it. @returns its id */
export async function addConfirmed({ place, mails }: MailPlace, events?: string): Promise<string> {
  const { id } = await addNotification(place, 'acme', 'hr@acme.test', events);
  await confirmNotification(place, 'acme', 'hr@acme.test', codeIn(mails.pop()!));
  return id;
}
