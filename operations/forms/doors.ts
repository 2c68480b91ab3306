/** Sources and watched folders as JSON, without their secrets. The command line and the API give the same. */
import { describeDoor, type Source, showAfter } from '../doors.js';
import { isoTime } from '../format.js';

export function doorToJson(source: Source) {
  const {
    id,
    org,
    config,
    state,
    failures,
    failure,
    failureCode,
    failedAt,
    result,
    lastAt,
    lastOkAt,
    nextAt,
    createdAt,
  } = source;
  const { kind, after, ...values } = config;
  return {
    [describeDoor(source).word]: id,
    org,
    state,
    ...values,
    after: showAfter(after, kind),
    failures,
    failure,
    failureCode,
    failedAt: isoTime(failedAt),
    result,
    lastAt: isoTime(lastAt),
    lastOkAt: isoTime(lastOkAt),
    nextAt: state === 'active' ? isoTime(nextAt) : null,
    createdAt: isoTime(createdAt),
  };
}
