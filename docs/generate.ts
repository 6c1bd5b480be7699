/**
 * Writes the reference pages that follow from data: configuration, errors, topics, the JSON Schema of deployments, the AsyncAPI document, the topic manifests, dashboards and rules, the list of decisions. `--check` tells which are stale.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { configurationReference } from '../runtime/config/reference.ts';
import { prometheusRules } from './reference/alert-rules.ts';
import { asyncApiDocument } from './reference/asyncapi.ts';
import { dashboards, grafanaJson } from './reference/dashboards.ts';
import { deploymentJsonSchema } from './reference/deployment-schema.ts';
import { decisionIndex } from './reference/decisions.ts';
import { errorReference } from './reference/errors.ts';
import { kafkaTopicManifests } from './reference/kafka-topics.ts';
import { kubernetesManifests } from './reference/kubernetes-manifests.ts';
import { topicReference } from './reference/topics.ts';

const pages: Readonly<Record<string, () => string>> = {
  'configuration.md': configurationReference,
  'deployment.schema.json': deploymentJsonSchema,
  'errors.md': errorReference,
  'topics.md': topicReference,
  'decisions/README.md': decisionIndex,
  'asyncapi.yaml': asyncApiDocument,
  '../deploy/kubernetes/topics.yaml': kafkaTopicManifests,
  '../deploy/kubernetes/millrace.yaml': kubernetesManifests,
  '../deploy/monitoring/rules.yaml': prometheusRules,
  ...Object.fromEntries(
    dashboards.map((dashboard) => [`../deploy/monitoring/${dashboard.uid}.json`, () => grafanaJson(dashboard)]),
  ),
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
