/**
 * Requires the form of an ExportTraceServiceRequest in JSON, as opentelemetry-proto 1.x publishes it: its names and no others, ids
 * in hexadecimal, numbers of 64 bits as texts.
 */
import assert from 'node:assert/strict';

type Value = { stringValue?: string; intValue?: string; boolValue?: boolean; doubleValue?: number };

export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: Value }[];
  status: { code?: number; message?: string };
}

export interface OtlpRequest {
  resourceSpans: {
    resource: { attributes: { key: string; value: Value }[] };
    scopeSpans: { scope: { name: string; version: string }; spans: OtlpSpan[] }[];
  }[];
}

export function requireOtlp(request: OtlpRequest): OtlpSpan[] {
  requireNames(request, ['resourceSpans']);
  return request.resourceSpans.flatMap((ofResource) => {
    requireNames(ofResource, ['resource', 'scopeSpans']);
    requireNames(ofResource.resource, ['attributes']);
    requireAttributes(ofResource.resource.attributes);
    return ofResource.scopeSpans.flatMap((ofScope) => {
      requireNames(ofScope, ['scope', 'spans']);
      requireNames(ofScope.scope, ['name', 'version']);
      for (const span of ofScope.spans) requireSpan(span);
      return ofScope.spans;
    });
  });
}

function requireSpan(span: OtlpSpan): void {
  const names = ['traceId', 'spanId', 'name', 'kind', 'startTimeUnixNano', 'endTimeUnixNano', 'attributes', 'status'];
  requireNames(span, [...names, ...(span.parentSpanId === undefined ? [] : ['parentSpanId'])]);
  assert.match(span.traceId, /^(?!0+$)[0-9a-f]{32}$/);
  assert.match(span.spanId, /^(?!0+$)[0-9a-f]{16}$/);
  if (span.parentSpanId !== undefined) assert.match(span.parentSpanId, /^(?!0+$)[0-9a-f]{16}$/);
  assert.ok(span.name !== '' && Number.isInteger(span.kind) && span.kind >= 1 && span.kind <= 5);
  for (const time of [span.startTimeUnixNano, span.endTimeUnixNano]) assert.match(time, /^[1-9]\d{18}$/);
  assert.ok(BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano));
  requireAttributes(span.attributes);
  assert.ok([undefined, 0, 1, 2].includes(span.status.code));
}

function requireAttributes(attributes: OtlpSpan['attributes']): void {
  for (const attribute of attributes) {
    requireNames(attribute, ['key', 'value']);
    const [[kind, value] = ['', null], ...others] = Object.entries(attribute.value);
    assert.deepEqual(others, []);
    const expected = { stringValue: 'string', intValue: 'string', boolValue: 'boolean', doubleValue: 'number' }[kind];
    assert.equal(typeof value, expected, `${attribute.key}: ${kind}`);
    if (kind === 'intValue') assert.match(String(value), /^-?\d+$/);
  }
  assert.equal(new Set(attributes.map(({ key }) => key)).size, attributes.length);
}

function requireNames(value: object, names: readonly string[]): void {
  assert.deepEqual(Object.keys(value).sort(), [...names].sort());
}
