import kafkajs from 'kafkajs';
import { until } from '../../conformance/log/until.ts';

const topicResource = 2;

/**
 * Overrides settings of a topic, waits until the broker says them, and answers what puts the old ones back. (The call replaces all overrides,
 * so all are sent.) What the broker says it may do a moment later: a test waits for its deeds.
 */
export async function alterTopic(
  brokers: readonly string[],
  topic: string,
  settings: Readonly<Record<string, string>>,
): Promise<() => Promise<void>> {
  const admin = new kafkajs.Kafka({
    brokers: [...brokers],
    clientId: 'test-admin',
    logLevel: kafkajs.logLevel.NOTHING,
  }).admin();
  const withAdmin = async <T>(work: () => Promise<T>): Promise<T> => {
    await admin.connect();
    try {
      return await work();
    } finally {
      await admin.disconnect();
    }
  };
  const alter = (overrides: Readonly<Record<string, string>>): Promise<unknown> => {
    const configEntries = Object.entries(overrides).map(([name, value]) => ({ name, value }));
    return admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: topicResource, name: topic, configEntries }],
    });
  };
  const entries = async () => {
    const resources = [{ type: topicResource, name: topic }];
    return (await admin.describeConfigs({ includeSynonyms: false, resources })).resources[0]?.configEntries ?? [];
  };
  const before = await withAdmin(async () => {
    const found = (await entries()).filter(({ configSource }) => Number(configSource) === 1);
    const overrides = Object.fromEntries(found.map(({ configName, configValue }) => [configName, configValue]));
    await alter({ ...overrides, ...settings });
    await until({ deadlineMs: 30_000 }, `the broker knew the settings of ${topic}`, async () => {
      const now = new Map((await entries()).map(({ configName, configValue }) => [configName, configValue]));
      return Object.entries(settings).every(([name, value]) => isSame(now.get(name), value));
    });
    return overrides;
  });
  return async () => {
    await withAdmin(() => alter(before));
  };
}

/** The broker says 0.0 of what was given as 0. */
const isSame = (said: string | undefined, given: string): boolean => said === given || Number(said) === Number(given);
