import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { commands } from '../../cli/commands/index.ts';
import { environmentName, type SettingName, settings } from '../../runtime/config/settings.ts';
import { packageEntries } from '../../deploy/package/bundle.ts';
import { roles } from '../../services/all-in-one/roles.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

interface ComposeService {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, object>>;
  readonly volumes?: readonly string[];
}

interface Workload {
  readonly kind: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly template?: {
      readonly spec: {
        readonly containers: readonly {
          readonly args: readonly string[];
          readonly env?: readonly { readonly name: string }[];
        }[];
      };
    };
  };
}

const compose = parse(read('deploy/compose/compose.yaml'), { merge: true }) as {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const ours = Object.entries(compose.services).filter(([, { image }]) => image === 'millrace');
const variables = new Set(Object.keys(settings).map((name) => environmentName(name)));
const dockerfile = read('deploy/Dockerfile');
const manifest = JSON.parse(read('package.json')) as {
  readonly engines: { readonly node: string };
  readonly bin: { readonly millrace: string };
};
const names = roles.map(({ name }) => name);
const topologyNames = roles.filter(({ kind }) => kind === 'topology').map(({ name }) => name);

/** The roles that `serve …` runs. */
function rolesOf(command: readonly string[] = []): readonly string[] {
  const [verb, ...rest] = command;
  expect(verb).toBe('serve');
  return rest.flatMap((word) => (word === '--topologies' ? topologyNames : [word]));
}

describe('deploy/compose/compose.yaml', () => {
  it('runs every service and topology that there is, and none that there is not', () => {
    const run = ours.flatMap(([, { command }]) => rolesOf(command));
    expect([...new Set(run)].sort()).toEqual([...names].sort());
  });

  it('gives each service a process of its own, by its name', () => {
    for (const [name, { command }] of ours)
      expect(rolesOf(command)).toContain(name === 'topologies' ? topologyNames[0] : name);
    const alone = ours.filter(([, { command }]) => rolesOf(command).length === 1).map(([name]) => name);
    const services = roles.filter(({ kind }) => kind === 'service').map(({ name }) => name);
    const beside = ['provenance', 'gateway']; // the gateway reads what provenance indexes, in one process
    expect([...alone].sort()).toEqual(services.filter((name) => !beside.includes(name)).sort());
  });

  it('sets only settings that exist, to values that they take', () => {
    for (const [name, { environment = {} }] of ours) {
      expect(
        Object.keys(environment).filter((variable) => !variables.has(variable)),
        name,
      ).toEqual([]);
      expect(environment['MILLRACE_PROFILE']).toBe('cluster');
    }
  });

  it('lets every process of ours be probed where it listens', () => {
    for (const [name, { healthcheck }] of ours)
      expect(healthcheck?.test.join(' '), name).toContain(`http://127.0.0.1:${settings['http.port'].default}/readyz`);
  });

  it('depends on services, volumes and a Dockerfile that are there', () => {
    for (const [name, { depends_on = {}, build, volumes = [] }] of Object.entries(compose.services)) {
      for (const other of Object.keys(depends_on))
        expect(compose.services[other], `${name} needs ${other}`).toBeDefined();
      for (const volume of volumes) expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
      if (build !== undefined) expect(existsSync(new URL(build.dockerfile, root))).toBe(true);
    }
  });

  it('keeps over a restart what the log needs: its records, the schemas that they name, the state, the blobs', () => {
    const { kafka, registry, redis, s3 } = compose.services;
    const volumes = [kafka, redis, s3].map((service) => service?.volumes?.[0]?.split(':')[1]);
    expect(volumes).toEqual([kafka?.environment?.['KAFKA_LOG_DIRS'], '/data', s3?.command?.at(-1)]);
    expect(redis?.command).toEqual(expect.arrayContaining(['--appendonly', 'yes']));
    expect(registry?.image).toMatch(/^apicurio\/apicurio-registry-kafkasql:/);
    expect(registry?.environment).toEqual({ KAFKA_BOOTSTRAP_SERVERS: 'kafka:9092' });
  });

  it('runs the registry that the tests run where there is no Go', () => {
    const version = /<registry\.version>(.*)<\/registry\.version>/.exec(read('test/services/registry-pom.xml'))?.[1];
    expect(compose.services['registry']?.image?.split(':')[1]).toBe(version);
  });

  it('runs the Kafka that the tests run', () => {
    const version = /<kafka\.version>(.*)<\/kafka\.version>/.exec(read('test/services/kafka-pom.xml'))?.[1];
    expect(compose.services['kafka']?.image).toBe(`apache/kafka:${version}`);
  });
});

describe('deploy/kubernetes/millrace.yaml', () => {
  it('runs every service and topology that there is, with settings that exist', () => {
    const manifests = parseAllDocuments(read('deploy/kubernetes/millrace.yaml')).map((one) => one.toJS() as Workload);
    const containers = manifests.flatMap(({ spec }) => spec?.template?.spec.containers ?? []);
    const run = containers.flatMap(({ args }) => rolesOf(args));
    expect([...new Set(run)].sort()).toEqual([...names].sort());
    const set = containers.flatMap(({ env = [] }) => env.map(({ name }) => name)).filter((name) => name !== 'POD_NAME');
    const shared = manifests.flatMap(({ kind, data = {} }) => (kind === 'ConfigMap' ? Object.keys(data) : []));
    expect([...set, ...shared].filter((name) => !variables.has(name))).toEqual([]);
  });
});

describe('deploy/Dockerfile', () => {
  it('runs on a Node that the package takes', () => {
    const [major] = /^FROM node:(\d+)/m.exec(dockerfile)?.slice(1) ?? [];
    expect(manifest.engines.node).toBe('>=20.19');
    for (const [, used] of dockerfile.matchAll(/^FROM node:(\d+)/gm)) expect(used).toBe(major);
    expect(Number(major)).toBeGreaterThanOrEqual(20);
  });

  it('starts the binary of the package with a command that exists', () => {
    const entry = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? '[]') as string[];
    const program = manifest.bin.millrace.replace('./', '');
    const [, settings] = /^#!\S+ -S node (.*)$/m.exec(read(program.replace(/^dist\/(.*)\.js$/, '$1.ts'))) ?? [];
    expect(entry).toEqual(['node', ...(settings?.split(' ') ?? []), `/app/${program}`]);
    const [command] = JSON.parse(/^CMD (.*)$/m.exec(dockerfile)?.[1] ?? '[]') as string[];
    expect(commands.map(({ name }) => name)).toContain(command);
  });

  it('copies files that are there, and sets settings that exist', () => {
    const [copied = ''] = /^COPY (package\.json.*) \.\/$/m.exec(dockerfile)?.slice(1) ?? [];
    for (const file of copied.split(' ')) expect(existsSync(new URL(file, root)), file).toBe(true);
    for (const [, variable = ''] of dockerfile.matchAll(/^ENV (MILLRACE_\w+)=/gm))
      expect(variables).toContain(variable);
    const port: SettingName = 'http.port';
    expect(dockerfile).toContain(`EXPOSE ${settings[port].default}`);
  });
});

describe('the published package', () => {
  it('has every module that is started by its path', () => {
    const files = ['cli', 'runtime', 'services'].flatMap((room) =>
      readdirSync(fileURLToPath(new URL(room, root)), { recursive: true, encoding: 'utf8' }).map(
        (file) => `${room}/${file}`,
      ),
    );
    const started = files
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => [...read(file).matchAll(/moduleForChild\('([^']+)'\)/g)].map(([, path]) => path))
      .filter((path) => !path?.startsWith('examples/')); // of a clone
    expect(started.length).toBeGreaterThan(5);
    expect(packageEntries).toEqual(expect.arrayContaining(started));
  });
});
