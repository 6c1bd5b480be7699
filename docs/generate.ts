/**
 * Writes the reference pages that follow from data: configuration, errors, topics, the JSON Schema of deployments, the AsyncAPI document and the topic manifests. `--check` tells which are stale.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { configurationReference } from '../runtime/config/reference.ts';
import { asyncApiDocument } from './reference/asyncapi.ts';
import { deploymentJsonSchema } from './reference/deployment-schema.ts';
import { errorReference } from './reference/errors.ts';
import { kafkaTopicManifests } from './reference/kafka-topics.ts';
import { topicReference } from './reference/topics.ts';

const pages: Readonly<Record<string, () => string>> = {
  'configuration.md': configurationReference,
  'deployment.schema.json': deploymentJsonSchema,
  'errors.md': errorReference,
  'topics.md': topicReference,
  'asyncapi.yaml': asyncApiDocument,
  '../deploy/kubernetes/topics.yaml': kafkaTopicManifests,
};

for (const [name, write] of Object.entries(pages)) {
  const file = new URL(name, import.meta.url);
  const text = write();
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (read(file) !== text) {
    console.error(`${name} is stale: run \`npm run generate\``);
    process.exitCode = 1;
  }
}

function read(file: URL): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
