import { expect, it } from 'vitest';
import { PrefixAliases } from '../../../services/gateway/prefix-aliases.ts';

it('answers paths below another name of a prefix as those below it, and no others', () => {
  const aliases = new PrefixAliases();
  aliases.add('/api/3.0', '/api/2.0');
  expect(aliases.resolve('/api/3.0/mlflow/runs/get?run_id=1')).toBe('/api/2.0/mlflow/runs/get?run_id=1');
  for (const other of ['/api/3.0', '/api/3.01/x', '/x/api/3.0/y', '/api/2.0/mlflow/runs/get'])
    expect(aliases.resolve(other)).toBe(other);
});
