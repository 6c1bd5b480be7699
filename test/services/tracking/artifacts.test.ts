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

describe('a file in parts', () => {
  const call = (name: string, body: object, path = `0/${run_id}/artifacts/big`) =>
    fixture.call('POST', `/api/2.0/mlflow-artifacts/mpu/${name}/${path}`, body as Record<string, unknown>);
  const path = '/home/ada/data.bin';

  it('is there whole once it is completed, whatever the order of its parts', async () => {
    const { body } = await call('create', { path, num_parts: 3 });
    const parts: { part_number: number; etag: string; url: string }[] = [];
    for (const { url, part_number } of [...body.credentials].reverse()) {
      const put = await fixture.raw('PUT', new URL(url).pathname, `part ${part_number},`);
      parts.push({ part_number, url, etag: String(put.headers.etag) });
    }
    const upload = { path, upload_id: body.upload_id };
    const [one, two] = parts as [(typeof parts)[0], (typeof parts)[0]];
    const swapped = parts.map((part) => (part === one ? { ...part, etag: two.etag } : part));
    for (const wrong of [parts.slice(1), swapped, parts.map((part) => ({ ...part, etag: 'f'.repeat(64) }))]) {
      expect((await call('complete', { ...upload, parts: wrong })).status).toBe(400);
      expect((await fixture.raw('GET', at('big/data.bin'))).status).toBe(404);
    }
    expect(await call('complete', { ...upload, parts })).toEqual({ status: 200, body: {} });
    expect((await fixture.raw('GET', at('big/data.bin'))).text).toBe('part 1,part 2,part 3,');
    const { body: address } = await fixture.call(
      'GET',
      `/api/2.0/mlflow-artifacts/presigned/0/${run_id}/artifacts/big/data.bin`,
    );
    expect(address).toEqual({ url: expect.stringContaining(at('big/data.bin')), headers: {}, file_size: 21 });
  });

  it('is not there when it was given up, or its name is none', async () => {
    const { body } = await call('create', { path, num_parts: 1 }, `0/${run_id}/artifacts/left`);
    expect(await call('abort', { path, upload_id: body.upload_id }, `0/${run_id}/artifacts/left`)).toEqual({
      status: 200,
      body: {},
    });
    expect((await fixture.raw('GET', at('left/data.bin'))).status).toBe(404);
    for (const wrong of [{ path: '..' }, { path: '' }, { path, num_parts: 0 }, { path, num_parts: 10_001 }]) {
      expect((await call('create', wrong)).status, JSON.stringify(wrong)).toBe(400);
    }
    expect((await call('create', { path, num_parts: 1 }, '0/nobody/artifacts')).status).toBe(404);
    const part = (await fixture.raw('PUT', `/api/2.0/mlflow-artifacts/mpu/parts/${body.upload_id}/2`, 'x')).status;
    expect(part).toBe(400);
  });

  it('is read by ranges', async () => {
    await fixture.raw('PUT', at('ranged.txt'), '0123456789');
    const headers = { host: 'localhost' };
    const read = async (range: string) => {
      const answer = await fixture.gateway.app.inject({ url: at('ranged.txt'), headers: { ...headers, range } });
      return [answer.statusCode, answer.headers['content-range'], answer.body];
    };
    expect(await read('bytes=2-4')).toEqual([206, 'bytes 2-4/10', '234']);
    expect(await read('bytes=7-99')).toEqual([206, 'bytes 7-9/10', '789']);
    expect(await read('bytes=-3')).toEqual([206, 'bytes 7-9/10', '789']);
    expect(await read('bytes=4-')).toEqual([206, 'bytes 4-9/10', '456789']);
    expect(await read('bytes=10-')).toEqual([416, 'bytes */10', '']);
    expect(await read('bytes=4-2')).toEqual([200, undefined, '0123456789']);
    expect(await read('lines=1-2')).toEqual([200, undefined, '0123456789']);
  });

  it('has an address for uploads, of a run as of a logged model', async () => {
    const { body } = await fixture.post('artifacts/presigned-upload-url', { run_id, path: 'a b/c.txt' });
    await fixture.raw('PUT', new URL(body.presigned_url).pathname, 'here');
    expect((await fixture.raw('GET', at('a%20b/c.txt'))).text).toBe('here');
    const { body: down } = await fixture.post('artifacts/presigned-download-url', { run_id, path: 'a b/c.txt' });
    expect((await fixture.raw('GET', new URL(down.presigned_url).pathname)).text).toBe('here');
    for (const wrong of [{ path: 'x' }, { run_id, path: '../x' }, { run_id, model_id: 'm-x', path: 'x' }]) {
      expect((await fixture.post('artifacts/presigned-upload-url', wrong)).status).toBe(400);
    }
  });
});

describe('a percent sign', () => {
  // As `log_image` of MLflow 2.17 names its files; what follows a sign looks like a control character, a slash, half a character.
  it.each([
    'k e%step%3%timestamp%1795922135697%83308e-eaae.png',
    '50%.txt',
    '%00ab.png',
    '%2fab.png',
    '%5cab.png',
    '%c0f5.png',
    '%ffab.png',
    '%41.txt',
  ])('is a character of a name: %s', async (name) => {
    const path = `signs/${name}`;
    const url = at(path.split('/').map(encodeURIComponent).join('/'));
    expect((await fixture.raw('PUT', url, name)).status).toBe(200);
    expect((await fixture.raw('GET', url)).text).toBe(name);
    const { body } = await fixture.get('artifacts/list', { run_id, path: 'signs' });
    expect(body.files).toContainEqual({ path, is_dir: false, file_size: Buffer.byteLength(name) });
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
    ['an overlong encoding, encoded', '%25c0%25ae%25c0%25ae%252fsecret'],
    ['backslashes, encoded twice', 'a%255c..%255csecret'],
    ['an absolute path, encoded twice', '%252fetc%252fpasswd'],
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
