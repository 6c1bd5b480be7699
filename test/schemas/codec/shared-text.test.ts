import { expect, test } from 'vitest';
import { sharedText } from '../../../schemas/codec/shared-text.ts';

const textOf = (bytes: Buffer): string => sharedText(bytes, 0, bytes.length);

test('any bytes give the text that UTF-8 makes of them, first, second and third time', () => {
  const samples = ['', 'iris', 'x'.repeat(80), 'x'.repeat(81), 'é', 'Zürich', '漢字', '\u007f', '\0', '🙂'].map(
    (text) => Buffer.from(text),
  );
  // One byte of the other alphabets is no UTF-8, and must not pass for the character of that number.
  samples.push(Buffer.from([0xe9]), Buffer.from([0xc3]), Buffer.from([0x41, 0xff]));
  for (let round = 0; round < 3; round++)
    for (const bytes of samples) expect(textOf(bytes)).toBe(bytes.toString('utf8'));
});

test('many texts that share places in the table are told apart', () => {
  for (let round = 0; round < 3; round++)
    for (let n = 0; n < 20_000; n++) expect(textOf(Buffer.from(`name-${n}`)) === `name-${n}`).toBe(true);
});
