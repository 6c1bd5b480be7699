import { join } from 'node:path';
import { MillraceError } from '../../ports/errors.ts';
import type { TopicConfig, TopicPartition } from '../../ports/log.ts';
import { type LogFiles, readWhole, replaceWhole } from './log-files.ts';
import type { PartitionLog } from './partition-log.ts';

export interface StoredTopic {
  readonly config: TopicConfig;
  readonly partitions: readonly PartitionLog[];
}

const nameRule = /^[a-zA-Z0-9._-]{1,249}$/;
const fileName = 'topics.json';

/** The topics of a log and their configurations, kept in `topics.json`. */
export class TopicStore {
  readonly #files: LogFiles;
  readonly #directory: string;
  readonly #openPartition: (where: TopicPartition, directory: string) => PartitionLog;
  readonly #topics = new Map<string, StoredTopic>();

  constructor(
    files: LogFiles,
    directory: string,
    openPartition: (where: TopicPartition, directory: string) => PartitionLog,
  ) {
    this.#files = files;
    this.#directory = directory;
    this.#openPartition = openPartition;
    for (const config of readConfigs(files, join(directory, fileName))) this.#add(config);
  }

  all(): IterableIterator<StoredTopic> {
    return this.#topics.values();
  }

  find(name: string): StoredTopic | undefined {
    return this.#topics.get(name);
  }

  /** NOT_FOUND for a topic that does not exist. */
  get(name: string): StoredTopic {
    const topic = this.#topics.get(name);
    if (topic === undefined)
      throw new MillraceError('NOT_FOUND', `The log has no topic "${name}". Create it with ensureTopics.`, {
        details: { topic: name },
      });
    return topic;
  }

  /** NOT_FOUND for an unknown topic, INVALID_ARGUMENT for a partition that it does not have. */
  partition({ topic, partition }: TopicPartition): PartitionLog {
    const { partitions } = this.get(topic);
    const found = partitions[partition];
    if (found === undefined)
      throw new MillraceError(
        'INVALID_ARGUMENT',
        `Topic "${topic}" has partitions 0 to ${partitions.length - 1}, not ${partition}.`,
        { details: { topic, partition, partitions: partitions.length } },
      );
    return found;
  }

  /** Creates what is missing and takes over changed settings, after everything was checked. */
  ensure(configs: readonly TopicConfig[]): void {
    for (const config of configs) {
      checkConfig(config);
      const known = this.#topics.get(config.name);
      if (known !== undefined && known.partitions.length !== config.partitions)
        throw new MillraceError(
          'TOPIC_MISMATCH',
          `Topic "${config.name}" has ${known.partitions.length} partitions, ${config.partitions} were asked for. Partition counts never change: start the program that made it, or start anew in another directory.`,
          { details: { topic: config.name, expected: config.partitions, found: known.partitions.length } },
        );
    }
    const before = new Map([...this.#topics.values()].map(({ config }) => [config.name, config]));
    const after = new Map(before);
    for (const config of configs) after.set(config.name, pick(config));
    if (JSON.stringify([...before]) === JSON.stringify([...after])) return;
    const bytes = Buffer.from(`${JSON.stringify([...after.values()], null, 2)}\n`);
    replaceWhole(this.#files, this.#directory, join(this.#directory, fileName), bytes, { syncs: true });
    for (const config of configs) this.#add(pick(config));
  }

  #add(config: TopicConfig): void {
    const known = this.#topics.get(config.name);
    const partitions =
      known?.partitions ??
      Array.from({ length: config.partitions }, (_, partition) =>
        this.#openPartition(
          { topic: config.name, partition },
          join(this.#directory, 'topics', config.name, String(partition)),
        ),
      );
    this.#topics.set(config.name, { config, partitions });
  }
}

function checkConfig({ name, partitions, recordBytesMax }: TopicConfig): void {
  // "." and ".." are names that the rule allows, and folders that exist.
  if (!nameRule.test(name) || name === '.' || name === '..')
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `"${name.slice(0, 300)}" is not a topic name: 1 to 249 of the characters a-z, A-Z, 0-9, ".", "_" and "-".`,
    );
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > 10_000)
    throw new MillraceError('INVALID_ARGUMENT', `Topic "${name}" needs 1 to 10000 partitions, not ${partitions}.`);
  if (!Number.isInteger(recordBytesMax) || recordBytesMax < 1)
    throw new MillraceError('INVALID_ARGUMENT', `Topic "${name}" needs recordBytesMax ≥ 1, not ${recordBytesMax}.`);
}

/** In one order of properties, and without undefined ones. */
const pick = (config: TopicConfig): TopicConfig => ({
  name: config.name,
  partitions: config.partitions,
  cleanup: config.cleanup,
  ...(config.retentionMs === undefined ? {} : { retentionMs: config.retentionMs }),
  recordBytesMax: config.recordBytesMax,
  replication: config.replication,
  minInsyncReplicas: config.minInsyncReplicas,
});

function readConfigs(files: LogFiles, path: string): readonly TopicConfig[] {
  const bytes = readWhole(files, path);
  if (bytes === undefined) return [];
  try {
    const content: unknown = JSON.parse(bytes.toString('utf8'));
    if (!Array.isArray(content)) throw new TypeError('not a list');
    const configs = content as TopicConfig[];
    for (const config of configs) checkConfig(config);
    return configs;
  } catch (error) {
    throw new MillraceError('CORRUPT', `${path} is not a list of topics. Restore it, or remove the directory.`, {
      cause: error,
      details: { file: path },
    });
  }
}
