/** Routes of the other doors that files come in by: sources, which are fetched from, and watched folders. */
import { z } from 'zod';
import { disableDoor, enableDoor, listDoors, removeDoor, runDoor, type Source } from '../../../operations/doors.js';
import { OperationError } from '../../../operations/error.js';
import { addFolder } from '../../../operations/folders.js';
import { doorToJson } from '../../../operations/forms/doors.js';
import { addSource, setSource, testSource } from '../../../operations/sources.js';
import type { Workplace } from '../../../operations/workplace.js';
import { count, maybeTime, orgParams, pageByPlace, pageOf, pageQuery, pick, time } from '../forms.js';
import { type Call, type Route, route } from '../route.js';

const maybeText = z.string().nullable();

const state = {
  org: z.string(),
  state: z.enum(['active', 'disabled', 'unconfirmed', 'host_key_changed']),
  patterns: z.array(z.string()),
  into: z.string(),
  after: z.string(),
  failures: count,
  failure: maybeText,
  failureCode: maybeText,
  failedAt: maybeTime,
  /** Of the last round: counts and problems. */
  result: z.record(z.string(), z.unknown()).nullable(),
  lastAt: maybeTime,
  lastOkAt: maybeTime,
  nextAt: maybeTime,
  createdAt: time,
};

const source = z.strictObject({
  source: count,
  ...state,
  host: z.string(),
  port: count,
  user: z.string(),
  auth: z.string(),
  publicKey: maybeText,
  hostKeys: z.array(z.string()),
  path: z.string(),
  when: z.string(),
  allowPrivate: z.boolean(),
  legacyAlgorithms: z.boolean(),
});

const folder = z.strictObject({ folder: count, ...state, dir: z.string(), poll: z.boolean(), marker: maybeText });

const text = z.string().min(1).max(2_000);
const patterns = z.array(text).max(100);

/** As the options of `dropslot sources add`; secrets are sealed, and never given out again. */
const choice = z.strictObject({
  host: text.optional(),
  port: z.int().min(1).max(65_535).optional(),
  user: text.optional(),
  hostKeys: z.array(text).max(10).optional(),
  path: text.optional(),
  patterns: patterns.optional(),
  afterFetch: text.optional(),
  when: text.optional(),
  into: text.optional(),
  allowPrivate: z.boolean().optional(),
  legacyAlgorithms: z.boolean().optional(),
  key: z.string().min(1).max(32_000).optional(),
  keyPassphrase: text.optional(),
  password: text.optional(),
  generateKey: z.boolean().optional(),
});

const kinds = {
  source: { kind: 'sftp', form: source, isOfServer: false },
  // Their folders are on the operator's machine.
  folder: { kind: 'folder', form: folder, isOfServer: true },
} as const;

const doorParams = orgParams.extend({ id: z.string().regex(/^[1-9]\d{0,14}$/, 'must be its number') });

type Params = z.infer<typeof doorParams>;
type Word = keyof typeof kinds;

const show = (word: Word, one: Source) => pick(kinds[word].form, doorToJson(one));

/** The door, if it is of this organization. @throws OperationError `not_found` */
async function getOwn(workplace: Workplace, word: Word, { org, id }: Params): Promise<Source> {
  const { id: own } = await workplace.org(org);
  const found = (await listDoors(workplace, kinds[word].kind, own)).find((one) => one.id === Number(id));
  if (found === undefined) throw new OperationError('not_found', `${own} has no ${word} ${id}`);
  return found;
}

const currentOf =
  (word: Word) =>
  async ({ workplace, params }: { workplace: Workplace; params: Params }) =>
    show(word, await getOwn(workplace, word, params));

/** A customer's token must not make this server connect to addresses inside the operator's network. @throws OperationError `refused` */
function requirePublic({ token, body }: Pick<Call<unknown, unknown, z.infer<typeof choice>>, 'token' | 'body'>): void {
  if (token.org !== null && body.allowPrivate === true)
    throw new OperationError('refused', 'allowPrivate is for tokens of all organizations');
}

function readChoice({ port, ...rest }: z.infer<typeof choice>) {
  return { ...rest, ...(port !== undefined && { port: String(port) }) };
}

const common = (word: Word): Route[] => {
  const { kind, form, isOfServer } = kinds[word];
  const path = `/orgs/{org}/${word}s`;
  const called = word === 'source' ? 'source' : 'watched folder';
  const current = currentOf(word);
  return [
    route({
      method: 'GET',
      path,
      summary: `The ${called}s of an organization, with their state and last failure`,
      right: 'read',
      isOfServer,
      params: orgParams,
      query: pageQuery,
      answer: pageOf(form),
      handle: async ({ workplace, params, query }) =>
        pageByPlace(await listDoors(workplace, kind, (await workplace.org(params.org)).id), query, (one) =>
          show(word, one),
        ),
    }),
    route({
      method: 'GET',
      path: `${path}/{id}`,
      summary: `A ${called}`,
      right: 'read',
      isOfServer,
      params: doorParams,
      answer: form,
      handle: current,
    }),
    route({
      method: 'DELETE',
      path: `${path}/{id}`,
      summary: `Remove a ${called} and its secret; files that came from it remain`,
      right: 'admin',
      isOfServer,
      params: doorParams,
      answer: form,
      current,
      handle: async ({ workplace, params }) => {
        const found = await getOwn(workplace, word, params);
        await removeDoor(workplace, found);
        return show(word, found);
      },
    }),
    route({
      method: 'POST',
      path: `${path}/{id}/run`,
      summary: `Take the new files of a ${called} now; the answer waits for the end of the round`,
      right: 'operate',
      isOfServer,
      params: doorParams,
      answer: z.strictObject({
        result: z.record(z.string(), z.unknown()).nullable(),
        failure: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
      }),
      current,
      handle: async ({ workplace, params }) => {
        const { result, failure } = await runDoor(workplace, await getOwn(workplace, word, params));
        return { result, failure };
      },
    }),
    ...(['enable', 'disable'] as const).map((verb) =>
      route({
        method: 'POST',
        path: `${path}/{id}/${verb}`,
        summary:
          verb === 'enable' ? `Take files from a disabled ${called} again` : `Take no more files from a ${called}`,
        right: 'admin',
        isOfServer,
        params: doorParams,
        answer: form,
        current,
        comparesIn: 'control',
        handle: async ({ workplace, params }) => {
          const change = verb === 'enable' ? enableDoor : disableDoor;
          return show(word, await change(workplace, await getOwn(workplace, word, params)));
        },
      }),
    ),
  ];
};

const currentSource = currentOf('source');

export const doorRoutes: readonly Route[] = [
  ...common('source'),
  route({
    method: 'POST',
    path: '/orgs/{org}/sources',
    summary: 'Fetch files from an SFTP server, as "dropslot sources add"',
    right: 'admin',
    params: orgParams,
    body: choice,
    answer: source,
    status: 201,
    handle: async (call) => {
      requirePublic(call);
      return show('source', await addSource(call.workplace, call.params.org, readChoice(call.body)));
    },
  }),
  route({
    method: 'PATCH',
    path: '/orgs/{org}/sources/{id}',
    summary: 'Change a source; values that are not given remain',
    right: 'admin',
    params: doorParams,
    body: choice,
    answer: source,
    current: currentSource,
    comparesIn: 'control',
    handle: async (call) => {
      requirePublic(call);
      const found = (await getOwn(call.workplace, 'source', call.params)) as Parameters<typeof setSource>[1];
      return show('source', await setSource(call.workplace, found, readChoice(call.body)));
    },
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/sources/{id}/test',
    summary: 'Log in at a source, and list the files that would be taken; "hostKey" confirms the key that it shows',
    right: 'admin',
    params: doorParams,
    body: z.strictObject({ hostKey: z.string().max(200).nullable().default(null) }),
    answer: z.strictObject({
      hostKey: z.strictObject({ fingerprint: z.string(), type: z.string() }).nullable(),
      isConfirmed: z.boolean(),
      address: maybeText,
      names: count,
      known: count,
      wouldTake: z.array(z.strictObject({ name: z.string(), size: count, modifiedAt: time })),
    }),
    current: currentSource,
    handle: async ({ workplace, params, body }) => {
      const found = (await getOwn(workplace, 'source', params)) as Parameters<typeof setSource>[1];
      const test = await testSource(workplace, found, async ({ fingerprint }) => fingerprint === body.hostKey);
      const { hostKey, isConfirmed, address, names, known, wouldTake } = test;
      const files = wouldTake.slice(0, 1_000).map(({ name, size, mtimeMs }) => {
        return { name, size, modifiedAt: new Date(mtimeMs).toISOString() };
      });
      const shown = hostKey === null ? null : { fingerprint: hostKey.fingerprint, type: hostKey.type };
      return { hostKey: shown, isConfirmed, address, names, known, wouldTake: files };
    },
  }),
  ...common('folder'),
  route({
    method: 'POST',
    path: '/orgs/{org}/folders',
    summary: 'Watch a folder of the machine, and take its files',
    right: 'admin',
    isOfServer: true,
    params: orgParams,
    body: z.strictObject({
      dir: text,
      afterImport: text.optional(),
      patterns: patterns.optional(),
      into: text.optional(),
      poll: z.boolean().optional(),
      marker: text.optional(),
    }),
    answer: folder,
    status: 201,
    handle: async ({ workplace, params, body: { dir, ...rest } }) =>
      show('folder', await addFolder(workplace, params.org, dir, rest)),
  }),
];
