/**
 * Bad input from every side of a whole platform: by topic, over HTTP, from the command line, as model files, as flow code. Each has a
 * clear error and an outcome, exactly once, and the good one behind it is done. Rows of the tables in `bad-input/` are the cases.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import avsc from 'avsc';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { eventually } from '../../runtime/testing/test-runtime.ts';
import { badCalls } from './bad-input/bad-calls.ts';
import { badFiles } from './bad-input/bad-files.ts';
import { type BadModel, badModels } from './bad-input/bad-models.ts';
import { badRecords, forgeries, infer, row } from './bad-input/bad-records.ts';
import { compiledFile } from '../compiled.ts';
import { type Journey, modelsFolder, openJourney, type OpenTopic, type Sent } from './bad-input/journey.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
let journey: Journey;
/** Records that were sent to open topics, by place, with the kind of the one outcome that each must have in the end. */
const books = new Map<string, { readonly topic: OpenTopic; readonly outcome: string; readonly dead: boolean }>();
/** Of the trigger that asked for it: how its run must end. */
const wantedRuns = new Map<string, string>();
let predictionId = '';

beforeAll(async () => {
  journey = await openJourney(badModels.filter(({ registered }) => registered).map(({ name }) => name));
  const { predictionId: id } = await journey.client.predict('iris', { rows: [[5.1, 3.5, 1.4, 0.2]] });
  predictionId = id;
}, 60_000);
afterAll(() => journey.close());

/** What a person sees who types this. */
function millrace(...args: readonly string[]): Promise<{ readonly code: unknown; readonly output: string }> {
  const typed = [compiledFile(new URL('../../cli/main.ts', import.meta.url)), ...args, '--url', journey.platform.url!];
  const env = { ...process.env, NO_COLOR: '1' };
  return new Promise((resolve) =>
    execFile(process.execPath, typed, { cwd: root, env }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, output: stdout + stderr }),
    ),
  );
}

const refusals = {
  'prediction-requests': 'prediction-failed',
  triggers: 'trigger-handled',
  feedback: 'feedback-refused',
};
const admissions = {
  'prediction-requests': 'prediction-completed',
  triggers: 'trigger-handled',
  feedback: 'feedback-received',
};

function good(topic: OpenTopic): Sent {
  if (topic === 'prediction-requests') return { value: infer(), headers: { 'millrace-deployment': 'iris' } };
  if (topic === 'triggers') return { value: JSON.stringify({ name: 'measured', number: 1 }) };
  return { value: JSON.stringify({ predictionId, reward: 1 }) };
}

/** Waits until a good record has been done as it should be. */
async function expectDone(topic: OpenTopic, place: string): Promise<void> {
  books.set(place, { topic, outcome: admissions[topic], dead: false });
  const said = await journey.outcome(place);
  expect(said, place).toMatchObject({ type: admissions[topic], ...(topic === 'triggers' && { text: 'matched' }) });
  if (topic === 'triggers') wantedRuns.set(said.triggerId, 'completed');
}

const letterOf = async (place: string) =>
  (await journey.client.maintenance.deadLetters()).filter(
    ({ topic, partition, offset }) => `${topic}@${partition}@${offset}` === place,
  );

describe('a bad record of an open topic', () => {
  it.each(badRecords.map((record) => [`${record.topic}: ${record.what}`, record] as const))(
    '%s: says so, and the next one is done',
    async (_, { topic, value = null, encode, headers, says, dead }) => {
      const bytes = encode === undefined ? value : encode(journey.platform.runtime.codec);
      const [place = '', next = ''] = await journey.send(topic, [{ value: bytes, headers }, good(topic)]);
      books.set(place, { topic, outcome: refusals[topic], dead: dead !== undefined });
      const said = await journey.outcome(place);
      expect(said.type).toBe(refusals[topic]);
      for (const part of says) expect(said.text).toContain(part);
      await expectDone(topic, next);
      const letters = await letterOf(place);
      expect(letters.map(({ code }) => code)).toEqual(dead === undefined ? [] : [dead]);
      if (dead !== undefined)
        for (const part of says) if (part !== 'refused') expect(letters[0]!.message).toContain(part);
    },
  );

  it.each(Object.keys(admissions) as OpenTopic[])('larger than %s takes is refused to its producer', async (topic) => {
    const ends = await journey.platform.runtime.parts.log.endOffsets(topic);
    await expect(journey.send(topic, [{ value: Buffer.alloc(1_000_001, 32) }])).rejects.toMatchObject({
      code: 'TOO_LARGE',
      message: expect.stringContaining(topic),
    });
    expect(await journey.platform.runtime.parts.log.endOffsets(topic)).toEqual(ends);
  });
});

describe('a record that claims to be of the platform', () => {
  const topics = Object.keys(admissions) as OpenTopic[];
  it.each(topics.flatMap((topic) => forgeries.map(([what, headers]) => [topic, what, headers] as const)))(
    '%s: %s is not believed',
    async (topic, _, headers) => {
      const { value, headers: own = {} } = good(topic);
      const forged = Object.entries(headers).map(([name, text]) => [name, text.replace('TOPIC', topic)] as const);
      const sent = { value, headers: { ...own, ...(Object.fromEntries(forged) as Record<string, string>) } };
      const [place = '', next = ''] = await journey.send(topic, [sent, good(topic)]);
      await expectDone(topic, place);
      await expectDone(topic, next);
    },
  );
});

describe('a trigger whose run cannot work', () => {
  const cases: readonly (readonly [what: string, number: unknown, says: string])[] = [
    ['whose step throws', -1, 'stone -1 has no weight'],
    ['whose parameter has another type', 'many', 'number'],
  ];
  it.each(cases)('%s: says so, and the next one runs', async (_, number, says) => {
    const value = JSON.stringify({ name: 'measured', number });
    const [place = '', next = ''] = await journey.send('triggers', [{ value }, good('triggers')]);
    books.set(place, { topic: 'triggers', outcome: 'trigger-handled', dead: false });
    const { triggerId } = await journey.outcome(place);
    await expectDone('triggers', next);
    const text = await eventually('what became of it', async () => {
      const run = [...journey.runs.values()].find(({ cause }) => cause === triggerId);
      if (run?.ended) return run.ended;
      const explained = JSON.stringify(await journey.client.explainTrigger(triggerId).catch(() => ''));
      return explained.includes('"refused"') ? explained : undefined;
    });
    expect(text).toContain(says);
    if (text.startsWith('failed')) wantedRuns.set(triggerId, text);
  });
});

describe('a model file that must not run', () => {
  it('is a row of the table, each of test/models', async () => {
    const files = (await readdir(modelsFolder)).filter((file) => /^refuse-.*\.onnx$/.test(file));
    expect(badModels.map(({ name }) => `${name}.onnx`).toSorted()).toEqual(files.toSorted());
  });

  it.each(badModels.filter(({ registered }) => !registered))(
    '$name: the step that would register it fails and says why',
    async ({ name, says }: BadModel) => {
      const started = await journey.client.production.start('bad-input', { folder: modelsFolder, files: [name] });
      const { runId } = started as { runId: string };
      const ended = await eventually('the run ends', () => journey.runs.get(runId)?.ended || undefined);
      for (const part of ['failed: take: ', `registers model '${name}'`, ...says]) expect(ended).toContain(part);
    },
  );

  it.each(badModels.filter(({ registered }) => registered))(
    '$name: the deployment says why, so does each request, and the next one is answered',
    async ({ name, says }: BadModel) => {
      const deployed = await journey.client.deploy(
        `name: ${name}
routes: [{ name: only, model: 'models:/${name}/1' }]`,
      );
      expect(deployed).toMatchObject({ ready: false });
      const sent = { value: infer(), headers: { 'millrace-deployment': name } };
      const [place = '', next = ''] = await journey.send('prediction-requests', [sent, good('prediction-requests')]);
      books.set(place, { topic: 'prediction-requests', outcome: 'prediction-failed', dead: false });
      const { text } = await journey.outcome(place);
      for (const part of ['MODEL_REFUSED', `models:/${name}/1`, ...says]) expect(text).toContain(part);
      for (const part of [`models:/${name}/1`, ...says]) expect(deployed.reason).toContain(part);
      await expectDone('prediction-requests', next);
    },
  );
});

/** Tells the traces of the calls apart. */
const actorOf = (what: string): string => what.replaceAll(/[^a-zA-Z]+/g, '-');

describe('a bad call', () => {
  it.each(badCalls)('$what: is answered $status, and leaves its trace once', async (call) => {
    const { what, method = 'POST', path, body, type = 'application/json', status, code, says, leaves } = call;
    const actor = actorOf(what);
    const entity = actor;
    const headers = { 'content-type': type, 'x-millrace-actor': actor, 'millrace-entity': entity };
    const failedBefore = journey.failedOf(entity).length;
    const answer = await fetch(journey.platform.url! + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const told = (await answer.json()) as { code: string; message: string; id: string };
    expect(told).toMatchObject({ code, id: expect.stringMatching(/^[0-9a-f-]+$/) });
    expect(answer.status).toBe(status);
    for (const part of says) expect(told.message).toContain(part);
    if (leaves === 'prediction')
      await eventually('the failure is on the log', () => journey.failedOf(entity).length > failedBefore);
    if (leaves === 'operation') {
      const operation = await eventually(
        'the operation is listed',
        async () => (await journey.client.maintenance.operations({ actor }))[0],
      );
      expect(operation.outcome).toContain(code);
    }
  });

  it('left exactly the operations and failures that it should', async () => {
    for (const { what, leaves } of badCalls) {
      const actor = actorOf(what);
      expect((await journey.client.maintenance.operations({ actor })).length, what).toBe(
        leaves === 'operation' ? 1 : 0,
      );
      expect(journey.failedOf(actor).length, what).toBe(leaves === 'prediction' ? 1 : 0);
    }
  });
});

/** What a newer writer says. */
const sayings: Readonly<Record<OpenTopic, () => object>> = {
  triggers: () => ({ name: 'measured', payload: '{"number": 1}', attributes: {} }),
  feedback: () => ({ predictionId, truth: null, label: null, reward: 1 }),
  'prediction-requests': () => ({ id: null, inputs: [irisTensor] }),
};

const headersOf = (topic: OpenTopic): Readonly<Record<string, string>> =>
  topic === 'prediction-requests' ? { 'millrace-deployment': 'iris' } : {};

describe('a registry that is away for a while', () => {
  it.each(Object.keys(sayings) as OpenTopic[])(
    '%s: what it must be asked about waits, and so does what lies behind; then both are done',
    async (topic) => {
      const { registry } = journey.platform.runtime.parts;
      const [newer, subject] = await newerSchema(topic, 'remark');
      const id = await registry.register(`${subject}-remarked`, JSON.stringify(newer));
      const data = avsc.Type.forSchema(newer).toBuffer({ remark: 'new', ...sayings[topic]() });
      const away = vi.spyOn(registry, 'schema').mockRejectedValue(new MillraceError('UNAVAILABLE', 'it is away'));
      let places: readonly string[];
      try {
        const value = Buffer.concat([framing(id), data]);
        places = await journey.send(topic, [{ value, headers: headersOf(topic) }, good(topic)]);
        await eventually('it was asked again', () => away.mock.calls.length >= 2);
        expect(places.flatMap((place) => journey.said(place))).toEqual([]);
      } finally {
        away.mockRestore();
      }
      for (const place of places) await expectDone(topic, place);
    },
  );
});

describe('a dead letter of an open topic', () => {
  it.each(Object.keys(sayings) as OpenTopic[])('%s: is done once when it is replayed', async (topic) => {
    const { runtime } = journey.platform;
    const { registry, log } = runtime.parts;
    const [newer, subject] = await newerSchema(topic);
    // Ids are given in order: the next one is the newer schema's, of which the registry has not heard yet.
    const id =
      1 + (await registry.register(`${subject}-probe`, JSON.stringify({ ...newer, doc: 'probe', name: 'Probe' })));
    const value = Buffer.concat([
      framing(id),
      avsc.Type.forSchema(newer).toBuffer({ note: 'new', ...sayings[topic]() }),
    ]);
    const [place = '', next = ''] = await journey.send(topic, [{ value, headers: headersOf(topic) }, good(topic)]);
    books.set(place, { topic, outcome: refusals[topic], dead: true });
    await expectDone(topic, next);
    const [letter] = await letterOf(place);
    expect(letter).toMatchObject({ code: 'UNKNOWN_SCHEMA' });

    expect(await registry.register(subject, JSON.stringify(newer))).toBe(id);
    const [offset] = await log.endOffsets(topic);
    const replay = () => millrace('dead-letters', 'replay', letter!.id);
    expect(await replay()).toMatchObject({ code: 0, output: expect.stringContaining('replayed') });
    await expectDone(topic, `${topic}@0@${offset}`);
    const again = await replay();
    expect(again.code).not.toBe(0);
    expect(again.output).toContain(`dead letter ${letter!.id} was replayed before`);
    expect((await log.endOffsets(topic))[0]).toBe(offset! + 1);
  });
});

const irisTensor = { name: 'X', datatype: 'FP32', shape: [1, 4], data: { 'millrace.common.Floats': { values: row } } };

/** The topic's schema with a field more, and its subject. */
async function newerSchema(topic: OpenTopic, field = 'note'): Promise<[schema: NewerSchema, subject: string]> {
  const event = { triggers: 'triggered', feedback: 'feedback-given', 'prediction-requests': 'prediction-requested' }[
    topic
  ];
  const text = await readFile(join(root, 'schemas', 'events', topic, `${event}.avsc`), 'utf8');
  const known = JSON.parse(text) as NewerSchema;
  const newer = { ...known, fields: [...known.fields, { name: field, type: 'string', default: '' }] };
  return [newer, `${known.namespace}.${known.name}`];
}

interface NewerSchema {
  readonly type: 'record';
  readonly name: string;
  readonly namespace: string;
  readonly fields: { name: string; type: string; default: string }[];
}

/** Confluent's: a zero and the schema's id. */
function framing(id: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeInt32BE(id, 1);
  return bytes;
}

describe('a wrong file on the command line', () => {
  it.concurrent.each(badFiles)('$command, $what', async ({ command, file, text, exit, says }) => {
    const path = join(journey.directory, `${command}-${file}`);
    if (text !== undefined) await writeFile(path, text);
    const { code, output } = await millrace(command, path);
    expect(code, output).toBe(exit);
    for (const part of says) expect(output).toContain(part);
    expect(output).not.toMatch(/^\s+at /m);
  });
});

describe('in the end', () => {
  it('every record has exactly one outcome, and the unreadable ones exactly one dead letter', async () => {
    const ends = await journey.platform.runtime.parts.log.endOffsets(journey.platform.runtime.topic('triggers'));
    expect(ends[0]).toBe([...books.values()].filter(({ topic }) => topic === 'triggers').length);
    const letters = (await journey.client.maintenance.deadLetters()).map(
      ({ topic, partition, offset }) => `${topic}@${partition}@${offset}`,
    );
    expect(letters.toSorted()).toEqual([...books].flatMap(([place, { dead }]) => (dead ? [place] : [])).toSorted());
    for (const [place, { outcome }] of books)
      expect(
        journey.said(place).map(({ type }) => type),
        place,
      ).toEqual([outcome]);
  });

  it('every run that was asked for has ended as it must', async () => {
    const ended = () =>
      [...wantedRuns].map(([trigger]) => ({
        trigger,
        ends: [...journey.runs.values()].filter(({ cause }) => cause === trigger).map((run) => run.ended),
      }));
    await eventually('the runs end', () => ended().every(({ ends: [end] }) => end !== undefined && end !== ''));
    expect(ended()).toEqual([...wantedRuns].map(([trigger, end]) => ({ trigger, ends: [end] })));
  }, 60_000);

  it('the books of the services say the same', async () => {
    const count = (topic: OpenTopic, of: (entry: { outcome: string; dead: boolean }) => boolean = () => true) =>
      [...books.values()].filter((entry) => entry.topic === topic && of(entry)).length;
    const tasks = {
      'prediction-requests': 'model-server',
      triggers: 'trigger-matcher',
      feedback: 'feedback-admission',
    };
    for (const [topic, task] of Object.entries(tasks) as [OpenTopic, string][]) {
      const booked = Object.fromEntries(
        ['in', 'handled', 'dead', 'repeats', 'gaps', 'ticks', 'replayed', 'outputsRefused'].map((name) => [
          name,
          journey.counter(task, name),
        ]),
      );
      // the probes of a model server go the way of requests
      const all = count(topic) + journey.counter(task, 'probes');
      expect(booked, task).toEqual({
        in: all,
        handled: all,
        dead: count(topic, ({ dead }) => dead),
        ...{ repeats: 0, gaps: 0, ticks: 0, replayed: 0, outputsRefused: 0 },
      });
    }
    expect(journey.counter('model-server', 'failed')).toBe(
      count('prediction-requests', ({ outcome }) => outcome === 'prediction-failed'),
    );
    expect(journey.counter('feedback-admission', 'refused')).toBe(
      count('feedback', ({ outcome }) => outcome === 'feedback-refused'),
    );
  });
});
