import { describe, expect, it } from 'vitest';
import { rowsToAlarm } from '../../../schemas/recommended-monitors.ts';
import { streamDiamonds } from './diamond-stream.ts';

describe('the drift alarm on diamonds', () => {
  it('comes within the stated rows after the shift, and not before', async () => {
    const { shiftAt, raisedAt, windows } = await streamDiamonds(1);
    expect(windows).toBeGreaterThan(40);
    expect(raisedAt).toHaveLength(1);
    expect((raisedAt[0] ?? 0) - shiftAt).toBeGreaterThan(0);
    expect((raisedAt[0] ?? 0) - shiftAt).toBeLessThanOrEqual(rowsToAlarm);
  });
});
