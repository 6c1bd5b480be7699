import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTracking, type TrackingFixture } from './tracking-fixture.ts';

let fixture: TrackingFixture;
let experiment: string;

/** Named a to e: metrics, parameters and tags that tell them apart. */
const given = [
  { name: 'a', loss: 0.1, params: { lr: '0.1', 'odd key': 'x' }, tags: { team: 'red' }, start: 50, end: 60 },
  { name: 'b', loss: 0.2, params: { lr: '0.2' }, tags: { team: 'Red', note: "it's 100%" }, start: 40, end: 90 },
  { name: 'c', loss: 0.3, params: { lr: '0.1' }, tags: { team: 'blue' }, start: 30, end: 31 },
  { name: 'd', loss: 'NaN', params: {}, tags: {}, start: 20, end: 25 },
  { name: 'e', loss: undefined, params: { lr: '0.3' }, tags: { team: 'green_' }, start: 10, end: undefined },
] as const;
const ids: Record<string, string> = {};

beforeAll(async () => {
  fixture = await openTracking();
  experiment = await fixture.experiment('search');
  for (const { name, loss, params, tags, start, end } of given) {
    const run_id = await fixture.run(experiment, { run_name: name, start_time: start });
    ids[name] = run_id;
    const pairs = (of: object) => Object.entries(of).map(([key, value]) => ({ key, value: String(value) }));
    const metrics = loss === undefined ? [] : [{ key: 'loss', value: loss, timestamp: 1, step: 0 }];
    await fixture.post('runs/log-batch', { run_id, metrics, params: pairs(params), tags: pairs(tags) });
    if (end !== undefined) await fixture.post('runs/update', { run_id, status: 'FINISHED', end_time: end });
  }
  const dataset = { name: 'wine', digest: 'abc', source_type: 'local', source: '{}' };
  const tags = [{ key: 'mlflow.data.context', value: 'training' }];
  await fixture.post('runs/log-inputs', { run_id: ids['a'], datasets: [{ tags, dataset }] });
});
afterAll(() => fixture.close());

async function found(filter: string, more: object = {}): Promise<string> {
  const answer = await fixture.post('runs/search', { experiment_ids: [experiment], filter, ...more });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  const runs = (answer.body.runs ?? []) as { info: { run_name: string } }[];
  return runs.map(({ info }) => info.run_name).join('');
}

describe('filters', () => {
  it.each([
    ['', 'abcde'],
    ['metrics.loss < 0.25', 'ab'],
    ['metric.loss >= 2e-1 and params.lr = "0.1"', 'c'],
    ['metrics.loss != 0.2', 'ac'],
    ["params.lr != '0.1'", 'be'],
    ["parameters.`odd key` = 'x'", 'a'],
    ['param."odd key" = \'x\'', 'a'],
    ["tags.team LIKE '%ed'", 'ab'],
    ["tags.team LIKE 'r%'", 'a'],
    ["tags.team ILIKE 'RE%'", 'ab'],
    ["tags.team LIKE '%!_' ", ''],
    ["tag.note = 'it''s 100%'", 'b'],
    ['params.lr IS NULL', 'd'],
    ['tags.note is not null', 'b'],
    ["attributes.run_name IN ('a', 'e')", 'ae'],
    ["run_name NOT IN ('a', 'e')", 'bcd'],
    ["attr.status = 'RUNNING'", 'e'],
    ['start_time > 25', 'abc'],
    ['created <= 20', 'de'],
    ["datasets.name = 'wine' AND dataset.context = 'training'", 'a'],
    ["user_id = 'ada' and artifact_uri LIKE 'mlflow-artifacts:/%'", 'abcde'],
  ])('%s', async (filter, names) => {
    expect(await found(filter)).toBe(names);
  });

  it.each([
    ["params.lr = '0.2' OR params.lr = '0.3'", 'be'],
    ["(params.lr = '0.1' or metrics.loss > 0.15) and start_time < 45", 'bc'],
    ["params.lr = '0.1' or metrics.loss > 0.15 and start_time < 35", 'ac'],
    ['duration >= 10', 'ab'],
    ['end_time IS NULL', 'e'],
    ["text ILIKE '%100%' or text = 'green_'", 'be'],
    ["text = 'c' OR text LIKE 're%'", 'ac'],
    ["datasets.digest LIKE 'ab%'", 'a'],
  ])('beyond MLflow: %s', async (filter, names) => {
    expect(await found(filter)).toBe(names);
  });

  it('find runs by the hash of a file', async () => {
    await fixture.raw('PUT', `/api/2.0/mlflow-artifacts/artifacts/${experiment}/${ids['c']}/artifacts/f.txt`, 'hello');
    const hash = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
    expect(await found(`artifacts.hash = '${hash}'`)).toBe('c');
  });
});

describe('order and pages', () => {
  it.each([
    [['metrics.loss'], 'abcde'],
    [['metrics.loss DESC'], 'cbade'],
    [['params.lr DESC', 'start_time ASC'], 'ebcad'],
    [['tags.team'], 'bcead'],
    [['end_time desc'], 'bacde'],
    [['attributes.start_time ASC'], 'edcba'],
    [['metrics.loss ASC', 'metrics.loss DESC'], 'abcde'],
  ])('%j puts what is missing last', async (order_by, names) => {
    expect(await found('', { order_by })).toBe(names);
  });

  it.each([[['metrics.loss DESC']], [['params.lr']], [['end_time']], [[]]])(
    '%j in pages of two is the same',
    async (order_by) => {
      const whole = await found('', { order_by });
      let seen = '';
      for (let page_token = ''; ; ) {
        const search = { experiment_ids: [experiment], order_by, max_results: 2, page_token };
        const { body } = await fixture.post('runs/search', search);
        seen += body.runs.map(({ info }: { info: { run_name: string } }) => info.run_name).join('');
        page_token = body.next_page_token ?? '';
        if (page_token === '') break;
      }
      expect(seen).toBe(whole);
    },
  );

  it('a filter of a metric, rare or not, and an order by it, find the same runs as a look at each', async () => {
    const other = await fixture.experiment('measured');
    const runs: { name: string; loss: number | undefined }[] = [];
    for (let at = 0; at < 60; at++) {
      const name = `r${String(at).padStart(2, '0')}`;
      const loss = at % 5 === 0 ? undefined : at % 7 === 0 ? Number.NaN : ((at * 37) % 20) / 10;
      const run_id = await fixture.run(other, { start_time: at, run_name: name });
      runs.push({ name, loss });
      if (loss === undefined) continue;
      await fixture.post('runs/log-metric', { run_id, key: 'loss', value: String(loss), timestamp: 1, step: 0 });
    }
    const names = async (search: object): Promise<string[]> => {
      const seen: string[] = [];
      for (let page_token = ''; ; ) {
        const body = { experiment_ids: [other], max_results: 7, page_token, ...search };
        const answer = await fixture.post('runs/search', body);
        seen.push(...(answer.body.runs ?? []).map(({ info }: { info: { run_name: string } }) => info.run_name));
        page_token = answer.body.next_page_token ?? '';
        if (page_token === '') return seen;
      }
    };
    const newest = [...runs].reverse();
    const here = newest.filter(({ loss }) => Number.isFinite(loss));
    const rest = newest.filter(({ loss }) => !Number.isFinite(loss));
    const by = (sign: number) => [...here].sort((a, b) => sign * ((a.loss ?? 0) - (b.loss ?? 0)));
    const named = (all: readonly { name: string }[]): string[] => all.map(({ name }) => name);
    expect(await names({ order_by: ['metrics.loss ASC'] })).toEqual(named([...by(1), ...rest]));
    expect(await names({ order_by: ['metrics.loss DESC'] })).toEqual(named([...by(-1), ...rest]));
    const low = ({ loss }: { loss?: number | undefined }): boolean => loss !== undefined && loss < 0.5;
    expect(await names({ filter: 'metrics.loss < 0.5' })).toEqual(named(newest.filter(low)));
    const filter = "metrics.loss < 0.5 and run_name LIKE 'r%'";
    expect(await names({ filter, order_by: ['metrics.loss DESC'] })).toEqual(named(by(-1).filter(low)));
    const either = 'metrics.loss < 0.5 or metrics.loss >= 1.5';
    const wanted = by(1).filter(({ loss = 0 }) => loss < 0.5 || loss >= 1.5);
    expect(await names({ filter: either, order_by: ['metrics.loss'] })).toEqual(named(wanted));
  });

  it('a page stays right while runs are begun', async () => {
    const other = await fixture.experiment('moving');
    for (const start_time of [1, 2, 3, 4]) await fixture.run(other, { start_time, run_name: `${start_time}` });
    const search = { experiment_ids: [other], max_results: 2 };
    const first = await fixture.post('runs/search', search);
    await fixture.run(other, { start_time: 9, run_name: 'new' });
    const second = await fixture.post('runs/search', { ...search, page_token: first.body.next_page_token });
    const names = [...first.body.runs, ...second.body.runs].map(
      ({ info }: { info: { run_name: string } }) => info.run_name,
    );
    expect(names).toEqual(['4', '3', '2', '1']);
    expect(second.body).not.toHaveProperty('next_page_token');
  });

  it('a token of another search, or of nobody, is refused', async () => {
    const { body } = await fixture.post('runs/search', { experiment_ids: [experiment], max_results: 1 });
    for (const search of [{ filter: 'metrics.loss > 0', page_token: body.next_page_token }, { page_token: 'x' }]) {
      const answer = await fixture.post('runs/search', { experiment_ids: [experiment], ...search });
      expect(answer).toMatchObject({ status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } });
    }
  });

  it('deleted runs are shown to who asks for them', async () => {
    const other = await fixture.experiment('deleted');
    await fixture.run(other, { run_name: 'kept' });
    await fixture.post('runs/delete', { run_id: await fixture.run(other, { run_name: 'gone' }) });
    const counts: Record<string, number> = {};
    for (const run_view_type of ['ACTIVE_ONLY', 'DELETED_ONLY', 'ALL']) {
      const { body } = await fixture.post('runs/search', { experiment_ids: [other], run_view_type });
      counts[run_view_type] = body.runs.length;
    }
    expect(counts).toEqual({ ACTIVE_ONLY: 1, DELETED_ONLY: 1, ALL: 2 });
  });
});

describe('what a caller says', () => {
  const hostile = [
    "' OR '1'='1",
    "x'; DROP TABLE runs; --",
    '"; DROP TABLE runs; --',
    '`',
    '\\',
    '%',
    "') or 1=1 --",
    '\u0000',
  ];

  it.each(hostile)('%j is a value, never a part of a statement', async (text) => {
    const value = text.replaceAll("'", "''");
    for (const filter of [
      `tags.team = '${value}'`,
      `run_name IN ('${value}')`,
      `params.lr LIKE '${value}' and tags.team = 'nobody'`,
    ]) {
      expect(await found(filter)).toBe('');
    }
    expect(await found('')).toBe('abcde');
  });

  it.each(hostile)('%j as a key finds nothing or is refused, in filters and orders', async (text) => {
    const key = `\`${text.replaceAll('`', '')}\``;
    for (const search of [
      { filter: `tags.${key} = 'x'` },
      { filter: `metrics.${key} > 0` },
      { order_by: [`metrics.${key} DESC`] },
      { order_by: [text] },
      { filter: text },
    ]) {
      const answer = await fixture.post('runs/search', { experiment_ids: [experiment], ...search });
      expect([200, 400], JSON.stringify(search)).toContain(answer.status);
    }
    expect(await found('')).toBe('abcde');
  });

  it.each([
    ['metrics.loss <', 'expected a number'],
    ['metrics.loss = "high"', "'loss' is a number"],
    ['params.lr > 0.1', "'lr' is a text"],
    ['params.lr = 0.1', 'single quotes'],
    ['bogus.key = 1', 'expected one of'],
    ['colour = 1', "no attribute 'colour'"],
    ['metrics.loss < 1 metrics.loss > 0', 'expected AND, OR or the end'],
    ['(metrics.loss < 1', "expected ')'"],
    ["run_name IN ('a'", "',' or ')'"],
    ["run_name = 'a", 'begins nothing that is known'],
    ['('.repeat(60), 'nested deeper'],
    [Array.from({ length: 300 }, () => 'metrics.a > 1').join(' and '), 'more than 200'],
  ])('%s is refused with what was expected', async (filter, message) => {
    const answer = await fixture.post('runs/search', { experiment_ids: [experiment], filter });
    expect(answer).toMatchObject({ status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } });
    expect(answer.body.message).toContain(message);
  });
});
