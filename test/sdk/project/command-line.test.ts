import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandLine, quote } from '../../../sdk/project/command-line.ts';

/** What Python 3.11's shlex.quote gave. */
const quoted: readonly (readonly [string, string])[] = [
  ['', "''"],
  ['0.5', '0.5'],
  ['a b', "'a b'"],
  ["it's", `'it'"'"'s'`],
  ['s3://bucket/x_y-z.csv', 's3://bucket/x_y-z.csv'],
  ['a=b,c:d@e%f+g', 'a=b,c:d@e%f+g'],
  ['$(rm -rf /)', "'$(rm -rf /)'"],
  ['ä', "'ä'"],
  ['line\nbreak', "'line\nbreak'"],
];

describe('the command of an entry point', () => {
  it.each(quoted)('quotes %j as Python does', (text, expected) => {
    expect(quote(text)).toBe(expected);
  });

  it('gives a shell back the very text, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes('\0')),
        (text) => {
          expect(execFileSync('sh', ['-c', `printf %s ${quote(text)}`]).toString('utf8')).toBe(text);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('substitutes declared parameters, and puts the others behind it in their order', () => {
    expect(
      commandLine('python train.py {alpha} {l1} {alpha}', { alpha: '0.5', l1: "'a b'" }, { z: '1', b: "''" }),
    ).toBe("python train.py 0.5 'a b' 0.5 --z 1 --b ''");
    expect(commandLine("awk '{{print $1}}' {f}", { f: 'x' }, {})).toBe("awk '{print $1}' x");
  });

  it('names a parameter that does not exist, and a lone brace', () => {
    expect(() => commandLine('train {alhpa}', { alpha: '1' }, {})).toThrow(
      'names {alhpa}, which is no parameter: it has alpha',
    );
    expect(() => commandLine('train {', {}, {})).toThrow("has a single '{'");
  });
});
