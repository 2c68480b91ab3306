/** Threads from the sources. */
import { Worker } from 'node:worker_threads';

/** @param first code that the thread runs before its own */
export function startThreadFromSource(name: 'sealingthread' | 'filethread' = 'sealingthread', first = ''): Worker {
  const module = new URL(`../../storage/${name}.js`, import.meta.url).href;
  const load = `import(${JSON.stringify(module)})`;
  // The tests may be compiled.
  const isCompiled = import.meta.url.endsWith('.js');
  const run = isCompiled ? load : `import('tsx/esm/api').then(({ register }) => { register(); return ${load}; })`;
  return new Worker(`${first}\n${run};`, { eval: true });
}
