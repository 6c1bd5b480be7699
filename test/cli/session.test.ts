import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, describe, expect, it } from 'vitest';
import { commands } from '../../cli/commands/index.ts';
import { millrace } from './cli-driver.ts';

const nobody = 'http://127.0.0.1:9';

afterEach(() => {
  delete process.env['MILLRACE_URL'];
});

describe('a command', () => {
  it('talks to the address in MILLRACE_URL', async () => {
    process.env['MILLRACE_URL'] = nobody;
    const { code, err } = await millrace(['runs', 'list', '--set', 'profile=cluster']);
    expect(code, err).toBe(7);
    expect(err).toContain(nobody);
  });

  it('has no option of its own under a name that every command has', async () => {
    const taken = ['--json', '--set', '--config', '--directory', '--url', '--actor', '--version'];
    const clashes: string[] = [];
    const visit = (command: Command, path: string): void => {
      for (const { long } of command.options) if (taken.includes(long ?? '')) clashes.push(`${path} ${long}`);
      for (const sub of command.commands) visit(sub, `${path} ${sub.name()}`);
    };
    for (const { name, load } of commands) {
      const command = new Command(name);
      (await load()).configure(command);
      visit(command, name);
    }
    expect(clashes).toEqual([]);
  });
});

describe('`millrace doctor`', () => {
  it('says what is wrong with a directory of a newer program, and what to do', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-doctor-'));
    try {
      writeFileSync(join(directory, 'format.json'), '{"formatVersion": 9}');
      const { code, out } = await millrace(['doctor', '--directory', directory, '--set', 'http.port=0']);
      expect(code).toBe(7);
      expect(out).toContain(`${directory} is in format 9; this program knows formats up to 1`);
      expect(out).toContain('use the newer program');
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
