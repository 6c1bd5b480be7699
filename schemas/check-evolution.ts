/**
 * Holds every event schema against all versions that were ever kept in `schemas/history/<topic>.<event>.json` (FULL_TRANSITIVE), and wants
 * today's schema to be the newest kept one. `--keep` appends today's compatible schemas to the history. `--root <folder>` checks
 * another schemas folder, for tests.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fullTransitiveProblems } from './codec/compatibility.ts';
import { topics } from './topics.ts';

const rootFlag = process.argv.indexOf('--root');
const root = rootFlag < 0 ? fileURLToPath(new URL('.', import.meta.url)) : (process.argv[rootFlag + 1] ?? '.');
const keep = process.argv.includes('--keep');
const history = join(root, 'history');
mkdirSync(history, { recursive: true });

const problems: string[] = [];
const known = new Set<string>();
for (const [topic, entry] of Object.entries(topics)) {
  for (const event of entry.events) {
    const name = `${topic}.${event}`;
    known.add(`${name}.json`);
    const schema = JSON.stringify(JSON.parse(readFileSync(join(root, 'events', topic, `${event}.avsc`), 'utf8')));
    const file = join(history, `${name}.json`);
    const versions = existsSync(file)
      ? (JSON.parse(readFileSync(file, 'utf8')) as unknown[]).map((version) => JSON.stringify(version))
      : [];
    const broken = fullTransitiveProblems(schema, versions);
    if (broken !== undefined) {
      problems.push(
        ...broken.problems.map(
          ({ field, says }) =>
            `${name}: breaks version ${broken.version}: ${field === '' ? 'the schema' : field}: ${says}`,
        ),
      );
    } else if (versions.at(-1) !== schema) {
      if (keep)
        writeFileSync(file, `${JSON.stringify([...versions, schema].map((text) => JSON.parse(text) as unknown))}\n`);
      else problems.push(`${name}: today's schema is not kept: run \`npm run generate\``);
    }
  }
}
for (const file of readdirSync(history)) {
  if (!known.has(file)) problems.push(`${file}: an event that was kept is gone; readers of old records need it`);
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
