import { parse, validate, version } from 'uuid';
import { describe, expect, it } from 'vitest';
import { uuidIds } from '../../../runtime/adapters/uuid-ids.ts';

describe('ids', () => {
  it('are of UUID version 7, say the time, differ, and come in the order of their making', () => {
    const before = Date.now();
    const ids = Array.from({ length: 2_000 }, () => uuidIds.next());
    const after = Date.now();
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual([...ids].sort());
    for (const id of ids) {
      const dashed = id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
      expect(validate(dashed) && version(dashed) === 7, id).toBe(true);
      const ms = Buffer.from(parse(dashed)).readUIntBE(0, 6);
      expect(ms).toBeGreaterThanOrEqual(before);
      expect(ms).toBeLessThanOrEqual(after);
    }
    // What is random in an id is not that of another one.
    expect(new Set(ids.map((id) => id.slice(-10))).size).toBe(ids.length);
  });
});
