import { expect, it } from 'vitest';
import { StepLog } from '../../../runtime/adapters/process-executor/step-log.ts';
import { masker } from '../../../runtime/adapters/process-executor/task-settings.ts';

const secret = `-----BEGIN KEY-----\n${'a1b2'.repeat(12)}\n${'c3d4'.repeat(12)}\n-----END KEY-----`;

function logOf(...chunks: readonly string[]): string {
  const log = new StepLog(10_000_000);
  log.maskWith(masker([secret, 'a token of some length']));
  for (const chunk of chunks) log.push(chunk);
  return log.text() ?? '';
}

it('shows no line of a secret that has several', () => {
  const text = logOf(`it is\n${secret}\nand\r${secret.split('\n')[1]}\n`);
  for (const line of secret.split('\n')) expect(text).not.toContain(line);
  expect(text).toContain('it is');
});

it('shows no part of a secret at which a long line is cut', () => {
  const text = logOf('x'.repeat(65_530), 'a token of', ' some length', ' and more\n');
  expect(text).not.toMatch(/a token|some length/);
  expect(text.replaceAll(/[^x]/g, '').length).toBe(65_530);
  expect(text).toContain('*** and more');
});
