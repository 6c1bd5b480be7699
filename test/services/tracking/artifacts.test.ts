import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTracking, type TrackingFixture } from './tracking-fixture.ts';

let fixture: TrackingFixture;
let run_id: string;
let other: string;
beforeAll(async () => {
  fixture = await openTracking();
  [run_id, other] = [await fixture.run('0'), await fixture.run('0')];
});
afterAll(() => fixture.close());

const base = '/api/2.0/mlflow-artifacts/artifacts';
const at = (path: string, run = run_id): string => `${base}/0/${run}/artifacts/${path}`;

describe('artifacts', () => {
  it('are uploaded as bytes of any type, and come back as they were', async () => {
    const bytes = Buffer.from([0, 1, 2, 255, 10, 13]);
    expect(await fixture.raw('PUT', at('model/data.bin'), bytes)).toMatchObject({ status: 200, text: '{}' });
    const answer = await fixture.raw('GET', at('model/data.bin'));
    expect(answer.bytes).toEqual(bytes);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
      'content-length': '6',
    });
    const headers = { host: 'localhost', 'content-type': 'application/json' };
    await fixture.gateway.app.inject({ method: 'PUT', url: at('broken.json'), headers, payload: '{"not json' });
    expect((await fixture.raw('GET', at('broken.json'))).text).toBe('{"not json');
    await fixture.raw('PUT', at('empty'));
    expect((await fixture.raw('GET', at('empty'))).text).toBe('');
  });

  it('are listed folder by folder: of a run by path, of the proxy by name', async () => {
    for (const path of ['list/a.txt', 'list/b/c.txt', 'list/b/d.txt', 'list/b0.txt'])
      await fixture.raw('PUT', at(path), path);
    expect((await fixture.get('artifacts/list', { run_id, path: 'list' })).body).toEqual({
      root_uri: `mlflow-artifacts:/0/${run_id}/artifacts`,
      files: [
        { path: 'list/a.txt', is_dir: false, file_size: 10 },
        { path: 'list/b', is_dir: true },
        { path: 'list/b0.txt', is_dir: false, file_size: 11 },
      ],
    });
    expect((await fixture.get(base, { path: `0/${run_id}/artifacts/list/b` })).body.files).toEqual([
      { path: 'c.txt', is_dir: false, file_size: 12 },
      { path: 'd.txt', is_dir: false, file_size: 12 },
    ]);
    expect((await fixture.get(base, { path: `0/${run_id}/artifacts/list/a.txt` })).body).toEqual({});
    expect((await fixture.get('artifacts/list', { run_id: other })).body.files).toBeUndefined();
  });

  it('are replaced by a second upload, and deleted with all that is below', async () => {
    for (const text of ['one', 'two']) await fixture.raw('PUT', at('again.txt'), text);
    expect((await fixture.raw('GET', at('again.txt'))).text).toBe('two');
    for (const path of ['gone/x', 'gone/y/z', 'gone2']) await fixture.raw('PUT', at(path), path);
    expect((await fixture.raw('DELETE', at('gone'))).status).toBe(200);
    expect((await fixture.raw('GET', at('gone/y/z'))).status).toBe(404);
    expect((await fixture.raw('GET', at('gone2'))).text).toBe('gone2');
  });

  it('may have any name that is one', async () => {
    for (const path of ['ümläut 文.txt', 'a+b&c=d;e,f.txt', '100%.txt', 'con', 'a..b', '...']) {
      const url = at(path.split('/').map(encodeURIComponent).join('/'));
      expect((await fixture.raw('PUT', url, path)).status, path).toBe(200);
      expect((await fixture.raw('GET', url)).text).toBe(path);
    }
  });
});

describe('a hostile path', () => {
  const classes: readonly (readonly [string, string])[] = [
    ['parent folders', '../secret'],
    ['parent folders further down', 'a/../../secret'],
    ['parent folders, encoded', '%2e%2e/secret'],
    ['a slash, encoded', '..%2fsecret'],
    ['encoded twice', '%252e%252e%252fsecret'],
    ['encoded three times', '%25252e%25252e%25252fsecret'],
    ['backslashes', '..%5csecret'],
    ['an absolute path', '%2fetc%2fpasswd'],
    ['a slash twice', 'a%2f%2fetc/passwd'],
    ['a home', '~%2f.ssh%2fid'],
    ['a drive', 'C:%5cWindows'],
    ['another scheme', 'file:%2f%2f%2fetc%2fpasswd'],
    ['another store', 's3:%2f%2fbucket%2fkey'],
    ['a NUL', 'a%00b'],
    ['a line break', 'a%0ab'],
    ['an overlong encoding', '%c0%ae%c0%ae%2fsecret'],
    ['a fragment', 'a%23%2f..%2f..%2fsecret'],
    ['a query', 'a%3f%2f..%2fsecret'],
    ['dots between slashes', './a'],
  ];
  it.each(classes)('of %s is refused, to read, write, delete and list', async (_, path) => {
    // Behind the artifacts of a run, and in the place of it.
    for (const url of [at(path), `${base}/${path}`]) {
      for (const method of ['PUT', 'GET', 'DELETE']) {
        const answer = await fixture.raw(method, url, method === 'PUT' ? 'x' : undefined);
        expect([400, 404], `${method} ${url}`).toContain(answer.status);
        expect(answer.text).toMatch(/"error(?:_code)?":/);
      }
    }
    const listed = await fixture.raw('GET', `/api/2.0/mlflow/artifacts/list?run_id=${run_id}&path=${path}`);
    expect(listed.status).toBe(400);
    const proxied = await fixture.raw('GET', `${base}?path=0/${run_id}/artifacts/${path}`);
    expect(proxied.status).toBe(400);
    expect((await fixture.raw('GET', at('secret'))).status).toBe(404);
  });

  it('into another run, or a run that is none, reaches nothing', async () => {
    await fixture.raw('PUT', at('mine.txt', other), 'theirs');
    for (const url of [
      `${base}/0/${run_id}/artifacts/../../${other}/artifacts/mine.txt`,
      `${base}/0/${run_id}/artifacts/..%2f..%2f${other}%2fartifacts%2fmine.txt`,
      `${base}/1/${other}/artifacts/mine.txt`,
      `${base}/${other}/artifacts/mine.txt`,
      `${base}/0/${'f'.repeat(32)}/artifacts/mine.txt`,
      `${base}/0/x/${other}/artifacts/mine.txt`,
    ]) {
      expect([400, 404], url).toContain((await fixture.raw('GET', url)).status);
      expect([400, 404], url).toContain((await fixture.raw('PUT', url, 'x')).status);
    }
    expect((await fixture.raw('GET', at('mine.txt', other))).text).toBe('theirs');
    expect((await fixture.raw('PUT', `${base}/0/${run_id}/artifacts`, 'x')).status).toBe(400);
    expect((await fixture.raw('PUT', `${base}/0/models/m-none/artifacts/f`, 'x')).status).toBe(404);
  });

  it('as an artifact location is refused', async () => {
    for (const artifact_location of [
      'mlflow-artifacts:/../x',
      'mlflow-artifacts://host/x',
      's3://b/%2e%2e/x',
      's3://b/a?x',
      's3://b/a#x',
    ]) {
      const answer = await fixture.post('experiments/create', { name: artifact_location, artifact_location });
      expect(answer, artifact_location).toMatchObject({ status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } });
    }
  });

  it('as the source of a model version is refused, and nothing of this machine is read', async () => {
    await fixture.post('registered-models/create', { name: 'hostile' });
    for (const source of [
      '/etc/passwd',
      'file:///etc/passwd',
      'file://localhost/etc/passwd',
      'FILE:///etc',
      'file:etc',
      '../../etc',
      'mlflow-artifacts:/../../etc',
      'mlflow-artifacts:/%2e%2e/etc',
      `mlflow-artifacts:/0/${run_id}/artifacts/../../../etc`,
      'mlflow-artifacts:///etc',
      `runs:/${run_id}/../../x`,
      's3://bucket/a/../../x',
      's3://bucket/%2e%2e/x',
      'C:\\Windows',
      'http://host/a?path=../../etc',
    ]) {
      const answer = await fixture.post('model-versions/create', { name: 'hostile', source });
      expect(answer, source).toMatchObject({ status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } });
    }
  });
});
