import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockDirectory, readFormat, readInstance } from '../../../runtime/adapters/directory-lock.ts';
import { createFolder, openLog } from './log-fixture.ts';
import { compiledFile } from '../../compiled.ts';

const module_ = compiledFile(new URL('../../../runtime/adapters/directory-lock.ts', import.meta.url));
const format = { formatVersion: 1 };

describe('lockDirectory', () => {
  it('refuses a second owner, and names the first and its address', async () => {
    const folder = await createFolder();
    const lock = await lockDirectory(folder, format);
    lock.setAddress('http://127.0.0.1:4711');
    await expect(lockDirectory(folder, format)).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining(`Process ${process.pid}`) as string,
      details: { pid: process.pid, url: 'http://127.0.0.1:4711' },
    });
    expect(readInstance(folder)).toEqual({ pid: process.pid, url: 'http://127.0.0.1:4711' });
    lock.release();
    lock.release();
    expect(readInstance(folder)).toBeUndefined();
    (await lockDirectory(folder, format)).release();
    expect(readdirSync(folder)).toEqual(['format.json']);
  });

  it('refuses while another process lives, and takes over at once when it was killed', async () => {
    const folder = await createFolder();
    const child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `const { lockDirectory } = await import(${JSON.stringify(module_)});
         await lockDirectory(${JSON.stringify(folder)}, { formatVersion: 1 });
         console.log('locked');
         setInterval(() => undefined, 1000);`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(child.stdout, 'data');
    await expect(lockDirectory(folder, format)).rejects.toMatchObject({ code: 'LOCKED', details: { pid: child.pid } });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(readInstance(folder)).toBeUndefined();
    (await lockDirectory(folder, format)).release();
  });

  it('takes over from a process whose number another one has now', async () => {
    const folder = await createFolder();
    const lock = await lockDirectory(folder, format);
    const content = JSON.parse(readFileSync(join(folder, 'lock'), 'utf8')) as object;
    lock.release();
    // Our parent lives, but it is not the process that took the lock.
    const stale = { ...content, pid: process.ppid, started: 'another boot/1', token: 'stale' };
    writeFileSync(join(folder, 'lock'), JSON.stringify(stale));
    (await lockDirectory(folder, format)).release();
    writeFileSync(join(folder, 'lock'), 'garbage');
    (await lockDirectory(folder, format)).release();
    expect(existsSync(join(folder, 'lock'))).toBe(false);
  });

  it('refuses a directory of a newer program, and lets go of it', async () => {
    const folder = await createFolder();
    (await lockDirectory(folder, { formatVersion: 3 })).release();
    await expect(lockDirectory(folder, { formatVersion: 2 })).rejects.toMatchObject({
      code: 'NEWER_FORMAT',
      details: { found: 3, supported: 2 },
    });
    expect(() => readFormat(folder, 2)).toThrow('is in format 3; this program knows formats up to 2');
    expect([readFormat(folder, 3), readFormat(join(folder, 'none'), 1)]).toEqual([3, undefined]);
    const newer = await lockDirectory(folder, { formatVersion: 4 });
    expect(newer.formatVersion).toBe(3);
    newer.setFormatVersion(4);
    newer.release();
    expect((await lockDirectory(folder, { formatVersion: 4 })).formatVersion).toBe(4);
  });

  it('keeps a log for one owner', async () => {
    const directory = join(await createFolder(), 'log');
    const log = await openLog(directory);
    await expect(openLog(directory)).rejects.toMatchObject({ code: 'LOCKED' });
    await log.close();
    await openLog(directory);
  });
});
