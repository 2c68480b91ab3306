/** A sealing thread from the sources. */
import { Worker } from 'node:worker_threads';

export function startThreadFromSource(): Worker {
  const module = new URL('../../storage/sealingthread.js', import.meta.url).href;
  if (import.meta.url.endsWith('.js')) return new Worker(new URL(module)); // compiled, as the tests are
  const code = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(module)}); });`;
  return new Worker(code, { eval: true });
}
