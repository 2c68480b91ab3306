// Asks npm's registry for known vulnerabilities of the production dependencies. Exit code 1: there are some. If the
// registry does not answer, the script reports this clearly and does not fail.
import { spawnSync } from 'node:child_process';

const { stdout, error } = spawnSync('npm', ['audit', '--omit=dev', '--package-lock-only', '--json'], {
  encoding: 'utf8',
  timeout: 60_000,
  maxBuffer: 64 * 1024 * 1024,
});
const found = readReport(stdout ?? '');
if (found === null) {
  const why = error?.message ?? (/"(?:summary|message)": "([^"]*)"/.exec(stdout ?? '')?.[1] || 'it gave no report');
  console.error(
    `NOT CHECKED: the registry did not answer (${why}). Nothing is known of vulnerabilities; ask again later.`,
  );
} else if (found.length === 0) {
  console.log('No known vulnerability in the production dependencies.');
} else {
  for (const { name, severity, range, via } of found) console.log(`${severity}  ${name} ${range}  ${via}`);
  process.exitCode = 1;
}

/** null: this is no report. */
function readReport(text) {
  try {
    const { vulnerabilities } = JSON.parse(text);
    if (vulnerabilities === undefined) return null;
    return Object.values(vulnerabilities).map(({ name, severity, range, via }) => ({
      name,
      severity,
      range,
      via: via.map((cause) => (typeof cause === 'string' ? `by ${cause}` : `${cause.title} ${cause.url}`)).join('; '),
    }));
  } catch {
    return null;
  }
}
