/** Serves uploads over HTTP, and dies as if the power had failed: after so many bytes, or with the answer to an upload not sent yet. */
import { openWorkplace } from '../../app/compose.js';
import { createSilentLogger } from '../../config/logger.js';
import { settingsSchema } from '../../config/settings.js';
import { createDrops } from '../../operations/drops/drops.js';
import { recoverPartials } from '../../storage/partialrecovery.js';
import { createApi } from '../../web/api/api.js';
import { listen } from '../../web/api/listen.js';

const [data, when, after] = process.argv.slice(2);
const logger = createSilentLogger();
const workplace = await openWorkplace(settingsSchema.parse({ data }));
const { control, paths } = workplace;
await recoverPartials({ control, paths, isAlone: true, idleSince: 0, keeps: true });
const drops = createDrops(workplace, logger);
const die = () => process.kill(process.pid, 'SIGKILL');
if (when === 'bytes') {
  const look = () => (drops.receivedBytes() >= Number(after) ? die() : setImmediate(look));
  look();
}
const api = createApi({
  ...{ workplace, open: openWorkplace, drops, version: '0', settings: [], logger, isSecure: false },
  clock: () => performance.now(),
});
const fetch: Parameters<typeof listen>[0] = async (request, env) => {
  const answer = await api.fetch(request, env);
  if (when === 'answer' && request.method === 'PUT') die();
  return answer;
};
const { port } = await listen(fetch, { host: '127.0.0.1', port: 0, tls: null }, logger);
console.log(port);
