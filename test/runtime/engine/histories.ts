import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { openDirectoryBlobStore } from '../../../runtime/adapters/blobs/directory-blob-store.ts';
import { createMemoryLog, MemoryLogStorage } from '../../../runtime/adapters/memory-log.ts';
import { openEmbeddedSchemaRegistry } from '../../../runtime/adapters/registry/embedded-schema-registry.ts';
import { MemoryStateStorage } from '../../../runtime/adapters/state/memory-state-store.ts';
import { deadLetterHeader } from '../../../runtime/engine/dead-letter.ts';
import { header } from '../../../runtime/engine/envelope.ts';
import type { EngineParts } from '../../../runtime/engine/runtime.ts';
import { parseStamp } from '../../../runtime/engine/stamp.ts';
import { decodeMeta } from '../../../runtime/engine/task-meta.ts';
import { decodeValue } from '../../../runtime/engine/value-codec.ts';
import { type LogRecord, partitionName } from '../../../runtime/ports/log.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { Process, type World } from './process.ts';
import { aliasRequest } from './toy-topology.ts';

/** One move of a history. */
export type Move =
  | { readonly type: 'publish'; readonly requests: readonly number[] }
  | { readonly type: 'burst' }
  /** Every process is replaced by one with the next version of the topology; zombies of the old one may still wake. */
  | { readonly type: 'upgrade' }
  | { readonly type: 'again'; readonly request: number }
  | { readonly type: 'poison' }
  | { readonly type: 'throwing'; readonly request: number }
  | { readonly type: 'replay' }
  | { readonly type: 'kill' }
  | { readonly type: 'zombie' }
  | { readonly type: 'thaw' }
  | { readonly type: 'join' }
  | { readonly type: 'store-lost' }
  | { readonly type: 'store-back' }
  | { readonly type: 'remember' }
  | { readonly type: 'commit-fault'; readonly kind: 'before' | 'after' }
  | { readonly type: 'settle' };

const models = ['ann', 'bob', 'cid', 'dot'];

/** So many requests at once that the log keeper finds something to delete. */
const burst = 80;

/** An id that comes again within so many records of its partition is a repeat; later it is a request of its own. */
const idWindow = 150;

export const moves: fc.Arbitrary<readonly Move[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        type: fc.constant('publish' as const),
        requests: fc.array(fc.nat(3), { minLength: 1, maxLength: 8 }),
      }),
    },
    { weight: 3, arbitrary: fc.constant({ type: 'burst' } as const) },
    { weight: 1, arbitrary: fc.constant({ type: 'upgrade' } as const) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('again' as const), request: fc.nat(40) }) },
    { weight: 1, arbitrary: fc.constant({ type: 'poison' } as const) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('throwing' as const), request: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.constant({ type: 'replay' } as const) },
    { weight: 2, arbitrary: fc.constant({ type: 'kill' } as const) },
    { weight: 1, arbitrary: fc.constant({ type: 'zombie' } as const) },
    { weight: 1, arbitrary: fc.constant({ type: 'thaw' } as const) },
    { weight: 1, arbitrary: fc.constant({ type: 'join' } as const) },
    { weight: 1, arbitrary: fc.constant({ type: 'store-lost' } as const) },
    { weight: 1, arbitrary: fc.constant({ type: 'remember' } as const) },
    { weight: 1, arbitrary: fc.constant({ type: 'store-back' } as const) },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant('commit-fault' as const),
        kind: fc.constantFrom('before' as const, 'after' as const),
      }),
    },
    { weight: 3, arbitrary: fc.constant({ type: 'settle' } as const) },
  ),
  { minLength: 5, maxLength: 30 },
);

const burstOfRequests: Move = { type: 'burst' };
const rest: readonly Move[] = Array.from({ length: 40 }, () => ({ type: 'settle' }) as const);

/** The log is cut while a zombie sleeps, the topology is replaced, the zombie of the old one wakes, and the store is lost. */
export const deletionAndUpgrade: readonly Move[] = [
  ...Array.from({ length: 4 }, () => [burstOfRequests, ...rest]).flat(),
  { type: 'zombie' },
  burstOfRequests,
  ...rest,
  burstOfRequests,
  ...rest,
  { type: 'remember' },
  { type: 'upgrade' },
  burstOfRequests,
  ...rest,
  { type: 'thaw' },
  { type: 'store-lost' },
  burstOfRequests,
  ...rest,
  { type: 'store-back' },
  { type: 'kill' },
  { type: 'publish', requests: [0, 1, 2, 3] },
];

/** A request is told again only after more records than are remembered: it is one of its own then. */
export const lateRepeat: readonly Move[] = [
  burstOfRequests,
  burstOfRequests,
  burstOfRequests,
  { type: 'upgrade' },
  { type: 'again', request: 1 },
  { type: 'publish', requests: [2, 3, 1] },
];

/** What happened over many histories: proves that the faults were there. */
export type Tally = Record<string, number>;

interface Request {
  readonly model: string;
  readonly version: number;
}

/**
 * Plays a history on simulated processes and holds the log against an oracle: each request that was acknowledged has exactly one
 * answer, in the order of the requests of its model; each bad record one dead letter; nothing else was said.
 */
export async function playHistory(
  history: readonly Move[],
  tally: Tally,
  alter: (parts: EngineParts) => EngineParts = (parts) => parts,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-history-'));
  const player = new Player(directory, tally, alter);
  try {
    await player.play(history);
  } finally {
    await player.close();
    // A dead process may still be writing a snapshot.
    await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
  }
}

function append(lists: Map<string, number[]>, key: string, value: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

class Player {
  readonly #directory: string;
  readonly #tally: Tally;
  readonly #alter: (parts: EngineParts) => EngineParts;
  readonly #log = new MemoryLogStorage();
  readonly #state = new MemoryStateStorage();
  #older: MemoryStateStorage | undefined;
  #faults: ('before' | 'after')[] = [];
  #processes: Process[] = [];
  #zombies: Process[] = [];
  readonly #requests: Request[] = [];
  #bad = 0;
  #world: World | undefined;

  constructor(directory: string, tally: Tally, alter: (parts: EngineParts) => EngineParts) {
    this.#directory = directory;
    this.#alter = alter;
    this.#tally = tally;
  }

  async play(history: readonly Move[]): Promise<void> {
    this.#world = {
      log: this.#log,
      state: this.#state,
      blobs: await openDirectoryBlobStore({ directory: join(this.#directory, 'blobs'), durability: 'process' }),
      registry: await openEmbeddedSchemaRegistry({ directory: join(this.#directory, 'registry') }),
      idWindow,
      version: 1,
      deleted: new Map(),
      commitFault: () => this.#fault(),
      alter: this.#alter,
    };
    this.#processes = [await Process.start(this.#world)];
    for (const move of history) await this.#make(move);
    for (const zombie of this.#zombies) zombie.thaw();
    this.#faults = [];
    await this.#settled();
    this.#tally['deletions'] = (this.#tally['deletions'] ?? 0) + (this.#world.deleted.size > 0 ? 1 : 0);
    await this.#judge();
  }

  async close(): Promise<void> {
    for (const process of this.#zombies) await process.kill();
    for (const process of this.#processes) await process.close();
  }

  async #make(move: Move): Promise<void> {
    const count = (what: string): void => {
      this.#tally[what] = (this.#tally[what] ?? 0) + 1;
    };
    switch (move.type) {
      case 'publish':
        await this.#request(move.requests);
        break;
      case 'burst':
        await this.#request(Array.from({ length: burst }, (_, n) => n % models.length));
        break;
      case 'upgrade':
        if (this.#world === undefined || this.#world.version === 2) break;
        // A newer version takes over what the older one has caught up with; else it says that the older one must run first.
        await this.#settled();
        count('upgrades');
        for (const process of this.#processes.splice(0)) await process.kill();
        this.#world.version = 2;
        await this.#ensureOne();
        break;
      case 'again': {
        const request = this.#requests.at(-1 - (move.request % 2));
        if (request === undefined) break;
        count('duplicates');
        await this.#publish([aliasRequest(request.model, request.version)]);
        break;
      }
      case 'poison':
        this.#bad += 1;
        count('poison');
        await this.#raw({ ce_id: `poison-${this.#bad}` }, Buffer.from('garbage'));
        break;
      case 'throwing':
        this.#bad += 1;
        await this.#publish([{ ...aliasRequest(models[move.request] ?? 'ann', 1_000_000 + this.#bad, 'throw') }]);
        break;
      case 'replay': {
        const letter = (await this.#records('dead-letters')).at(-1);
        if (letter === undefined) break;
        count('replays');
        const task = letter.headers[deadLetterHeader.task]?.toString() ?? '';
        const offset = letter.headers[deadLetterHeader.offset]?.toString() ?? '';
        const partition = Number(letter.headers[deadLetterHeader.partition]?.toString());
        await this.#raw(
          { ce_id: `replay-${offset}`, [header.control]: 'replay', [header.replay]: `${task}@${offset}` },
          letter.value,
          partition,
        );
        break;
      }
      case 'kill': {
        const process = this.#processes.pop();
        if (process === undefined) break;
        count('crashes');
        await process.kill();
        await this.#ensureOne();
        break;
      }
      case 'zombie': {
        const process = this.#processes.pop();
        if (process === undefined) break;
        count('zombies');
        await process.freeze();
        this.#zombies.push(process);
        await this.#ensureOne();
        break;
      }
      case 'thaw':
        if (this.#zombies.length > 0) count('lateAppends');
        for (const zombie of this.#zombies) zombie.thaw();
        break;
      case 'join':
        if (this.#processes.length >= 3 || this.#world === undefined) break;
        count('rebalances');
        this.#processes.push(await Process.start(this.#world));
        break;
      case 'store-lost':
        count('storeLosses');
        this.#state.tasks.clear();
        break;
      case 'remember':
        this.#older = this.#state.copy();
        break;
      case 'store-back':
        if (this.#older === undefined) break;
        count('storesGoneBack');
        this.#state.setBack(this.#older);
        break;
      case 'commit-fault':
        count('commitFaults');
        this.#faults.push(move.kind);
        break;
      case 'settle':
        await new Promise<void>((resolve) => setImmediate(resolve));
        break;
    }
  }

  #fault(): 'before' | 'after' | undefined {
    return this.#faults.shift();
  }

  async #ensureOne(): Promise<void> {
    if (this.#processes.length === 0 && this.#world !== undefined)
      this.#processes.push(await Process.start(this.#world));
  }

  async #request(wanted: readonly number[]): Promise<void> {
    const requests = wanted.map((model, index): Request => {
      return { model: models[model] ?? 'ann', version: this.#requests.length + index + 1 };
    });
    this.#requests.push(...requests);
    await this.#publish(requests.map(({ model, version }) => aliasRequest(model, version)));
  }

  async #publish(outputs: readonly ReturnType<typeof aliasRequest>[]): Promise<void> {
    await this.#processes[0]?.runtime.publish(outputs);
  }

  async #raw(headers: Record<string, string>, value: Buffer | null, partition = 0): Promise<void> {
    const log = createMemoryLog({ storage: this.#log });
    await log.append([{ topic: 'registry', partition, key: 'x', value, headers }]);
  }

  async #records(topic: string): Promise<LogRecord[]> {
    const log = createMemoryLog({ storage: this.#log });
    const found: LogRecord[] = [];
    for (let partition = 0; partition < (await log.partitions(topic)); partition++) {
      found.push(...(this.#world?.deleted.get(partitionName({ topic, partition })) ?? []));
      for await (const records of log.read({ topic, partition }, { from: 0 })) found.push(...records);
    }
    return found;
  }

  /** One nudge in each partition, then every owner has folded to the end and its outputs lie on the log. */
  async #settled(): Promise<void> {
    for (const partition of [0, 1])
      await this.#raw(
        { ce_id: `end-${partition}-${Date.now()}`, [header.control]: 'tick' },
        Buffer.alloc(0),
        partition,
      );
    const log = createMemoryLog({ storage: this.#log });
    await eventually(
      'all partitions folded to their end',
      async () => {
        const ends = await log.endOffsets('registry');
        const stats = this.#processes.flatMap(({ runtime }) => runtime.stats());
        return ends.every((end, partition) =>
          stats.some(
            ({ task, position, status }) =>
              task === `toy/registry/${partition}` && status === 'running' && position === end,
          ),
        );
      },
      20_000,
    );
  }

  /**
   * What is to be answered, by model, in the order of the log: each acknowledged request once, and once more each that was told again
   * after more records than are remembered.
   */
  async #asked(): Promise<ReadonlyMap<string, readonly number[]>> {
    const lastSight = new Map<string, number>();
    const asked = new Map<string, number[]>();
    for (const { partition, offset, headers } of await this.#records('registry')) {
      const [kind, model = '', version] = headers['ce_id']?.toString().split('-') ?? [];
      // Those that always throw are counted as bad.
      if (kind !== 'request' || Number(version) > 1_000_000) continue;
      const sight = `${partition} ${model} ${version}`;
      const before = lastSight.get(sight);
      lastSight.set(sight, offset);
      if (before === undefined || before <= offset - idWindow) append(asked, model, Number(version));
    }
    for (const { model, version } of this.#requests) {
      if (!asked.get(model)?.includes(version)) throw new Error(`${model}: request ${version} was lost`);
    }
    return asked;
  }

  /** The state is that of a life without faults. */
  #judgeState(wanted: ReadonlyMap<string, readonly number[]>): void {
    const tasks = [0, 1].map((partition) => this.#state.tasks.get(`toy/registry/${partition}`)?.values);
    const counters = tasks.map((values) => decodeMeta(values?.get('~meta'), 1).counters);
    const total = (name: string): number => counters.reduce((sum, counted) => sum + (counted[name] ?? 0), 0);
    const asked = [...wanted.values()].reduce((sum, versions) => sum + versions.length, 0);
    if (total('aliasesSet') !== asked) throw new Error(`${asked} requests were counted as ${total('aliasesSet')}`);
    if (total('gaps') > 0) throw new Error(`${total('gaps')} gaps, and nothing was lost`);
    if (total('modelsClosed') > 0) return;
    for (const model of models) {
      const asked = wanted.get(model)?.length ?? 0;
      const bytes = tasks.map((values) => values?.get(`k/${model}`)).find((value) => value !== undefined);
      const got = bytes === undefined ? 0 : (decodeValue(bytes) as { aliases: number }).aliases;
      if (got !== asked) throw new Error(`${model}: the state counts ${got} aliases, expected ${asked}`);
    }
  }

  async #judge(): Promise<void> {
    const answers: { model: string; version: number; previous: number }[] = [];
    const seen = new Map<string, string>();
    const runtime = this.#processes[0]?.runtime;
    if (runtime === undefined) throw new Error('no process is left');
    for (const record of await this.#records('registry')) {
      const id = record.headers['ce_id']?.toString() ?? '';
      if (parseStamp(id) === undefined || record.headers[header.control] !== undefined || record.value === null)
        continue;
      const said = record.value.toString('base64');
      if (seen.has(id)) {
        if (seen.get(id) !== said) throw new Error(`the stamp ${id} says two things`);
        this.#tally['repeatsOnTheLog'] = (this.#tally['repeatsOnTheLog'] ?? 0) + 1;
        continue;
      }
      seen.set(id, said);
      const event = await runtime.decode('registry', record);
      if (event.type === 'alias-set')
        answers.push({ model: event.data.model, version: event.data.version, previous: event.data.previous ?? 0 });
    }
    const wanted = await this.#asked();
    for (const model of models) {
      const versionsAsked = wanted.get(model) ?? [];
      const got = answers.filter((answer) => answer.model === model);
      const versions = got.map(({ version }) => version);
      if (versions.join() !== versionsAsked.join())
        throw new Error(`${model}: requests ${versionsAsked.join()} were answered as ${versions.join()}`);
      // The fold saw its own state: what came before, or nothing when the model was closed in between.
      for (const [index, { version, previous }] of got.entries()) {
        if (previous !== 0 && previous !== versions[index - 1])
          throw new Error(`${model}: ${version} was answered after ${previous}, expected ${versions[index - 1] ?? 0}`);
      }
    }
    this.#judgeState(wanted);
    const dead = new Set(
      (await this.#records('dead-letters')).map(
        (letter) =>
          `${letter.headers[deadLetterHeader.task]?.toString()}@${letter.headers[deadLetterHeader.offset]?.toString()}`,
      ),
    );
    if (dead.size < this.#bad) throw new Error(`${this.#bad} bad records gave ${dead.size} dead letters`);
  }
}
