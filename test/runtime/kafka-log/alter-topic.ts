import kafkajs from 'kafkajs';

const topicResource = 2;

/** Overrides settings of a topic, and answers what puts the old ones back. (The call replaces all overrides, so all are sent.) */
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
  const before = await withAdmin(async () => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: topicResource, name: topic }],
    });
    const found = (resources[0]?.configEntries ?? []).filter(({ configSource }) => Number(configSource) === 1);
    const overrides = Object.fromEntries(found.map(({ configName, configValue }) => [configName, configValue]));
    await alter({ ...overrides, ...settings });
    return overrides;
  });
  return async () => {
    await withAdmin(() => alter(before));
  };
}
