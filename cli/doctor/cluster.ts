/** What `doctor` checks of the services of the cluster profile: each is opened and closed once, and the topics are held against the catalogue. */
import type { Configuration } from '../../runtime/config/settings.ts';
import { hasCode, messageOf } from '../../runtime/ports/errors.ts';
import type { Log } from '../../runtime/ports/log.ts';
import { createLogger } from '../../runtime/profiles/logger.ts';
import { type ClusterService, clusterServices, placeOf } from '../../runtime/profiles/open-cluster.ts';
import { topicNames, topics } from '../../schemas/topics.ts';
import type { Finding } from './finding.ts';

export async function checkCluster(configuration: Configuration): Promise<readonly Finding[]> {
  const { log, state, blobs, registry } = clusterServices;
  const findings = await Promise.all([
    checkService('kafka', log, configuration, (opened) => checkTopics(opened, configuration)),
    checkService('redis', state, configuration),
    checkService('s3', blobs, configuration),
    checkService('registry', registry, configuration),
  ]);
  return findings.flat();
}

async function checkService<Part extends { close(): Promise<void> }>(
  check: string,
  { name, setting, open }: ClusterService<Part>,
  configuration: Configuration,
  more: (part: Part) => Promise<readonly Finding[]> = () => Promise.resolve([]),
): Promise<readonly Finding[]> {
  const place = placeOf(setting, configuration);
  try {
    const part = await open(configuration, createLogger({ ...configuration, 'log.level': 'silent' }));
    const says = `${name} answers at ${place}`;
    try {
      return [{ check, status: 'ok', says }, ...(await more(part))];
    } finally {
      await part.close();
    }
  } catch (error) {
    return [
      {
        check,
        status: 'problem',
        says: `${name} at ${place} cannot be used: ${messageOf(error)}`,
        fix: `start it, or correct ${setting} (docs/configuration.md)`,
      },
    ];
  }
}

/** A process makes the topics that are missing when it starts, and refuses one of another partition count. */
async function checkTopics(log: Log, { 'kafka.prefix': prefix }: Configuration): Promise<readonly Finding[]> {
  const missing: string[] = [];
  const other: Finding[] = [];
  await Promise.all(
    topicNames.map(async (name) => {
      const topic = prefix + name;
      try {
        const [found, wanted] = [await log.partitions(topic), topics[name].partitions];
        if (found === wanted) return;
        const says = `${topic} has ${found} partitions, the catalogue says ${wanted}`;
        other.push({
          check: 'topics',
          status: 'problem',
          says,
          fix: 'use another kafka.prefix, or make the topic anew',
        });
      } catch (error) {
        if (!hasCode(error, 'NOT_FOUND')) throw error;
        missing.push(topic);
      }
    }),
  );
  const there = topicNames.length - missing.length - other.length;
  const says =
    missing.length === 0
      ? `${there} of ${topicNames.length} topics are as the catalogue says`
      : `${missing.length} of ${topicNames.length} topics are not there: the first process that may make topics does`;
  return [...other, { check: 'topics', status: 'ok', says }];
}
