import { hash } from 'node:crypto';

const adjectives = [
  'amber',
  'brave',
  'calm',
  'clever',
  'crisp',
  'eager',
  'fair',
  'gentle',
  'keen',
  'lively',
  'merry',
  'nimble',
  'quiet',
  'rapid',
  'silent',
  'steady',
  'sunny',
  'swift',
  'tidy',
  'vivid',
];
const nouns = [
  'auk',
  'badger',
  'brook',
  'crane',
  'dove',
  'finch',
  'grove',
  'heron',
  'ibex',
  'lark',
  'lynx',
  'mill',
  'otter',
  'quail',
  'raven',
  'river',
  'stoat',
  'stream',
  'tern',
  'wren',
];

/** A name for a run that was given none: two words and a number, which follow from its id. */
export function runName(runId: string): string {
  const digest = hash('sha256', runId, 'buffer');
  const pick = (words: readonly string[], at: number): string => words[digest.readUInt16BE(at) % words.length] ?? '';
  return `${pick(adjectives, 0)}-${pick(nouns, 2)}-${digest.readUInt16BE(4) % 1_000}`;
}
