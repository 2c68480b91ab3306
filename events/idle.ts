/** Remembers up to which events a subscriber has nothing to get, so that an event costs only the subscribers that want it. */

import { listNews, type News } from '../db/control/events.js';
import { type DueSubscriber, passIdle } from '../db/control/eventsubscribers.js';
import { listDirectoryNews } from '../db/directory/events.js';
import { type Bounds, type Databases, hasNews } from './feed.js';
import { typesOf } from './types.js';

export interface IdleMarks {
  /** Those of the subscribers that have something to get up to the bounds. It only reads, and takes no lease. */
  sift(behind: readonly DueSubscriber[], bounds: Bounds): Promise<DueSubscriber[]>;
}

interface Mark {
  subscriber: DueSubscriber;
  wanted: ReadonlySet<string>;
  /** It wants none of the events up to these. */
  place: Bounds;
}

/** Places of idle subscribers are stored so often: until then, retention keeps the events after them. */
const storeEveryMs = 60_000;

export function createIdleMarks(databases: Databases, monotonicMs: () => number = () => performance.now()): IdleMarks {
  let marks = new Map<string, Mark>();
  let storedAt = monotonicMs();
  return {
    async sift(behind, bounds) {
      const known: Mark[] = [];
      const wanting: DueSubscriber[] = [];
      const idle: Mark[] = [];
      for (const subscriber of behind) {
        const mark = renew(marks.get(subscriber.id), subscriber);
        if (mark !== null) known.push(mark);
        else if (await mayWant(databases, subscriber, bounds)) wanting.push(subscriber);
        else idle.push({ subscriber, wanted: wantedBy(subscriber), place: bounds });
      }
      const news = await readNews(databases, known, bounds);
      for (const mark of known)
        if (wants(mark, news)) wanting.push(mark.subscriber);
        else idle.push({ ...mark, place: bounds });
      marks = new Map(idle.map((mark) => [mark.subscriber.id, mark]));
      if (monotonicMs() - storedAt >= storeEveryMs) {
        await passIdle(
          databases.control,
          [...marks.values()].map(({ subscriber }) => subscriber),
          bounds,
        );
        storedAt = monotonicMs();
      }
      return wanting;
    },
  };
}

/** null: there is no mark, or it is of other types. */
function renew(mark: Mark | undefined, subscriber: DueSubscriber): Mark | null {
  const { types, org, position } = subscriber;
  if (mark?.subscriber.types !== types || mark.subscriber.org !== org || position.batchTo !== null) return null;
  const place = {
    control: Math.max(mark.place.control, position.control),
    directory: Math.max(mark.place.directory, position.directory),
  };
  return { ...mark, subscriber, place };
}

function wantedBy({ types }: DueSubscriber): ReadonlySet<string> {
  return new Set(typesOf(JSON.parse(types) as string[]));
}

async function mayWant(databases: Databases, subscriber: DueSubscriber, bounds: Bounds): Promise<boolean> {
  const { position, org } = subscriber;
  if (position.batchTo !== null) return true;
  try {
    return await hasNews(databases, position, bounds, {
      types: [...wantedBy(subscriber)],
      ...(org !== null && { org }),
    });
  } catch {
    // Its own attempt shows the cause, and delays no other subscriber.
    return true;
  }
}

interface BothNews {
  control: readonly News[];
  directory: readonly News[];
}

/** The organizations and types of the events that are new to at least one of the marks. */
async function readNews({ control, directory }: Databases, marks: readonly Mark[], to: Bounds): Promise<BothNews> {
  if (marks.length === 0) return { control: [], directory: [] };
  const lowest = (of: keyof Bounds) => marks.reduce((least, { place }) => Math.min(least, place[of]), to[of]);
  return {
    control: await listNews(control.read, lowest('control'), to.control),
    directory: await listDirectoryNews(directory.read, lowest('directory'), to.directory),
  };
}

function wants({ subscriber, wanted, place }: Mark, news: BothNews): boolean {
  const isWanted = (of: keyof Bounds) =>
    news[of].some(
      ({ org, type, last }) =>
        last > place[of] && wanted.has(type) && (subscriber.org === null || subscriber.org === org),
    );
  return isWanted('control') || isWanted('directory');
}
