/** Routes of the addresses that get mail about an organization. */
import { z } from 'zod';
import { notificationToJson } from '../../../operations/forms/subscribers.js';
import {
  enableNotification,
  removeNotification,
  setNotification,
  testNotification,
} from '../../../operations/notify.js';
import {
  findByAddress,
  listNotifications,
  type Notification,
  toNotification,
} from '../../../operations/notifyaddress.js';
import { addNotification, confirmNotification, resendCode } from '../../../operations/notifycode.js';
import type { Workplace } from '../../../operations/workplace.js';
import { count, orgParams, pageByPlace, pageOf, pageQuery, pick, time } from '../forms.js';
import { type Route, route } from '../route.js';

const notification = z.strictObject({
  id: z.string(),
  org: z.string().nullable(),
  address: z.string(),
  events: z.array(z.string()),
  state: z.enum(['unconfirmed', 'enabled', 'disabled']),
  reason: z.string().nullable(),
  failures: count,
  createdAt: time,
});

const address = z.string().min(1).max(320);
const events = z.array(z.string().min(1).max(60)).min(1).max(30);
const notificationParams = orgParams.extend({ address });

type Asked = { workplace: Workplace; params: z.infer<typeof notificationParams> };

const show = (one: Notification) => pick(notification, notificationToJson(one));

async function current({ workplace, params }: Asked): Promise<unknown> {
  const { id } = await workplace.org(params.org);
  return show(toNotification(await findByAddress(workplace, id, params.address)));
}

export const notificationRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/orgs/{org}/notifications',
    summary: 'Addresses that get mail about an organization',
    right: 'read',
    params: orgParams,
    query: pageQuery,
    answer: pageOf(notification),
    handle: async ({ workplace, params, query }) =>
      pageByPlace(await listNotifications(workplace, params.org), query, show),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/notifications',
    summary: 'Send an address a code; with the code it is confirmed, and gets mail',
    right: 'admin',
    params: orgParams,
    body: z.strictObject({ address, events: events.optional() }),
    answer: notification,
    status: 201,
    handle: async ({ workplace, params, body }) =>
      show(await addNotification(workplace, params.org, body.address, body.events?.join(','))),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/notifications/{address}',
    summary: 'An address that gets mail',
    right: 'read',
    params: notificationParams,
    answer: notification,
    handle: current,
  }),
  route({
    method: 'PATCH',
    path: '/orgs/{org}/notifications/{address}',
    summary: 'Change the kinds of mail that an address gets',
    right: 'admin',
    params: notificationParams,
    body: z.strictObject({ events }),
    answer: notification,
    current,
    handle: async ({ workplace, params, body }) =>
      show(await setNotification(workplace, params.org, params.address, body.events.join(','))),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/notifications/{address}/confirm',
    summary: 'Confirm an address by the code of its mail',
    right: 'admin',
    params: notificationParams,
    body: z.strictObject({ code: z.string().min(1).max(20) }),
    answer: notification,
    current,
    handle: async ({ workplace, params, body }) =>
      show(await confirmNotification(workplace, params.org, params.address, body.code)),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/notifications/{address}/resend',
    summary: 'Send an address another code',
    right: 'admin',
    params: notificationParams,
    answer: notification,
    current,
    handle: async ({ workplace, params }) => show(await resendCode(workplace, params.org, params.address)),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/notifications/{address}/test',
    summary: 'Send a test mail to a confirmed address now',
    right: 'operate',
    params: notificationParams,
    answer: notification,
    current,
    handle: async ({ workplace, params }) => show(await testNotification(workplace, params.org, params.address)),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/notifications/{address}/enable',
    summary: 'Send mail again to an address that the server disabled because its mails failed',
    right: 'admin',
    params: notificationParams,
    answer: notification,
    current,
    handle: async ({ workplace, params }) =>
      show(await enableNotification(workplace, params.org, params.address, false)),
  }),
  route({
    method: 'DELETE',
    path: '/orgs/{org}/notifications/{address}',
    summary: 'Send an address no more mail',
    right: 'admin',
    params: notificationParams,
    answer: notification,
    current,
    handle: async ({ workplace, params }) => show(await removeNotification(workplace, params.org, params.address)),
  }),
];
