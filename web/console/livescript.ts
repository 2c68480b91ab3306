/** The script of pages with live parts: it follows server-sent events, and writes their texts into the page. */
import { createHash } from 'node:crypto';

/**
 * An element with `data-live` (an address): its parts with `data-part` get the texts of each event `progress`; the event `end` loads
 * the page again, and so does a stream that is refused, where the element has `data-reload`. Pages in the background follow nothing,
 * since a browser has few connections.
 */
export const liveScript = `
'use strict';
for (const place of document.querySelectorAll('[data-live]')) {
  let source = null;
  const follow = () => {
    source = new EventSource(place.dataset.live);
    source.addEventListener('progress', (event) => {
      for (const [name, text] of Object.entries(JSON.parse(event.data)))
        for (const part of place.querySelectorAll('[data-part]'))
          if (part.dataset.part === name) part.textContent = text;
    });
    source.addEventListener('end', () => {
      source.close();
      location.reload();
    });
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CLOSED && 'reload' in place.dataset) setTimeout(() => location.reload(), 10000);
    });
  };
  document.addEventListener('visibilitychange', () => {
    source.close();
    if (!document.hidden) follow();
  });
  follow();
}
`.trim();

/** Its name changes with its content, so that browsers may keep it. */
export const liveScriptPath = `/assets/${createHash('sha256').update(liveScript).digest('hex').slice(0, 16)}.js`;
