/** The OpenAPI 3.1 document of the API, made from the table of routes and its schemas. */
import { z } from 'zod';
import { rights } from './access.js';
import { fileBody, streamBody } from './forms.js';
import { problemCodes } from './problem.js';
import type { Route } from './route.js';

type Json = Record<string, unknown>;

export function describeApi(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes)
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: describeRoute(route) };
  return {
    openapi: '3.1.0',
    info: { title: 'Dropslot', version },
    servers: [{ url: '/api/v1' }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'A token of "dropslot tokens add".' } },
      schemas: { Problem: problem },
    },
  };
}

/** The scopes whose tokens may use a route, in words. */
export function describeAccess({ right, isOfServer }: Route): string {
  const scopes = Object.entries(rights).flatMap(([scope, has]) => (has.includes(right) ? [scope] : []));
  return `Scopes: ${scopes.join(', ')}${isOfServer ? '; tokens of all organizations only' : ''}.`;
}

const problem: Json = {
  type: 'object',
  description: 'RFC 9457, with the codes of the command line.',
  required: ['type', 'title', 'status', 'detail', 'code', 'requestId'],
  properties: {
    type: { const: 'about:blank' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { enum: problemCodes },
    requestId: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
};

function describeRoute(route: Route): Json {
  const { method, path, summary, params, query, body, answer, status, current } = route;
  const names = [...(current === null ? [] : ['If-Match']), ...(method === 'POST' ? ['Idempotency-Key'] : [])];
  const known = Object.entries(route.headers.shape).map(([name, form]) => ({
    name,
    in: 'header',
    schema: schemaOf(form as z.ZodType, 'input'),
  }));
  const headers = names.map((name) => ({ name, in: 'header', schema: { type: 'string' } }));
  const content =
    typeof answer === 'string'
      ? { [answer]: { schema: { type: 'string' } } }
      : { 'application/json': { schema: schemaOf(answer, 'output') } };
  return {
    operationId: `${method.toLowerCase()}${path.replace(/[^a-z]+([a-z])/g, (_, letter: string) => letter.toUpperCase()).replace(/\W/g, '')}`,
    summary,
    description: describeAccess(route),
    parameters: [...parametersOf(params, 'path'), ...parametersOf(query, 'query'), ...headers, ...known],
    ...(body !== null && {
      requestBody: {
        required: true,
        content: contentOf(body),
      },
    }),
    responses: {
      [status]: { description: 'Done', content },
      default: {
        description: 'A problem',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  };
}

function contentOf(body: z.ZodType): Json {
  if (body === fileBody) return { 'text/csv': { schema: { type: 'string' } } };
  if (body === streamBody) return { 'application/octet-stream': { schema: { type: 'string' } } };
  return { 'application/json': { schema: schemaOf(body, 'input') } };
}

function parametersOf(schema: z.ZodType, place: 'path' | 'query'): Json[] {
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, one]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: one,
  }));
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _draft, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
