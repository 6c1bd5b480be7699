/** Bad records for the open topics, and what the log must say of each. */
import type { EventCodec } from '../../../schemas/codec/event-codec.ts';
import type { OpenTopic, Sent } from './journey.ts';

export interface BadRecord extends Partial<Sent> {
  readonly topic: OpenTopic;
  readonly what: string;
  /** In place of `value`. */
  readonly encode?: (codec: EventCodec) => Uint8Array;
  /** Its outcome names all of these. */
  readonly says: readonly string[];
  /** Code of its dead letter, of a record that cannot be read as what it should be; absent when it can be read, and only cannot be done. */
  readonly dead?: string;
}

const iris = { 'millrace-deployment': 'iris' };
export const row: readonly unknown[] = [5.1, 3.5, 1.4, 0.2];

/** An Open Inference Protocol request. */
export function infer(data: readonly unknown[] = row, tensor: object = {}, body: object = {}): string {
  const input = { name: 'X', datatype: 'FP32', shape: [1, data.length], data, ...tensor };
  return JSON.stringify({ inputs: [input], ...body });
}

/** What nobody can read, whatever the topic. */
const unreadable: readonly (Pick<BadRecord, 'what' | 'value' | 'dead'> & { readonly says: readonly string[] })[] = [
  { what: 'garbage', value: Buffer.from([7, 1, 2]), dead: 'POISON_RECORD', says: ['neither framed Avro nor JSON'] },
  { what: 'an empty value', value: '', dead: 'POISON_RECORD', says: ['the record has no value'] },
  { what: 'no value', value: null, dead: 'POISON_RECORD', says: ['the record has no value'] },
  { what: 'JSON cut short', value: '{"inputs": [', dead: 'POISON_RECORD', says: ['neither framed Avro nor JSON'] },
  {
    what: 'JSON nested too deep',
    value: '['.repeat(40) + ']'.repeat(40),
    dead: 'POISON_RECORD',
    says: ['nested deeper than 32'],
  },
  { what: 'a schema id cut short', value: Buffer.from([0, 0, 1]), dead: 'POISON_RECORD', says: ['schema id'] },
  {
    what: 'a schema id that nobody knows',
    value: Buffer.from([0, 0, 1, 134, 159, 1]),
    dead: 'UNKNOWN_SCHEMA',
    says: ['schema', '99999'],
  },
  {
    what: 'garbage of the greatest size',
    value: Buffer.alloc(999_000, 7),
    dead: 'POISON_RECORD',
    says: ['neither framed Avro nor JSON'],
  },
  {
    what: 'a cloud event without an id',
    value: '{"specversion": "1.0", "type": "t", "source": "/app", "id": "", "data": {}}',
    dead: 'POISON_RECORD',
    says: ["attribute 'id' must be a text that is not empty"],
  },
];

const requests: readonly Omit<BadRecord, 'topic'>[] = [
  {
    what: 'an event of another topic',
    encode: (codec) => codec.encode('triggers', 'triggered', { name: 'x', payload: '{}', attributes: {} }),
    dead: 'POISON_RECORD',
    says: ['holds a triggers/triggered, not a prediction-requests/prediction-requested'],
  },
  {
    what: 'JSON of another shape',
    value: '{"inputs": 3}',
    dead: 'INVALID_ARGUMENT',
    says: ["'inputs' must be a list"],
  },
  { what: 'no deployment', value: infer(), headers: {}, says: ['INVALID_ARGUMENT', 'millrace-deployment'] },
  {
    what: 'an unknown deployment',
    value: infer(),
    headers: { 'millrace-deployment': 'irsi' },
    says: ['NOT_FOUND', "no deployment 'irsi'", 'deployed are iris'],
  },
  { what: 'too few features', value: infer([1, 2]), says: ["input 'X': shape must be [-1, 4], got [1, 2]"] },
  {
    what: 'fewer values than the shape',
    value: infer(row, { shape: [2, 4] }),
    dead: 'INVALID_ARGUMENT',
    says: ['8', '4'],
  },
  {
    what: 'another datatype',
    value: infer(row, { datatype: 'FP64' }),
    says: ["input 'X': datatype must be FP32, got FP64"],
  },
  { what: 'texts for numbers', value: infer(['a', 'b', 'c', 'd']), dead: 'INVALID_ARGUMENT', says: ["'X'", 'number'] },
  { what: 'another name', value: infer(row, { name: 'Y' }), says: ["input 'Y'", "it has 'X' FP32 [-1, 4]"] },
  { what: 'NaN', value: infer([5, 'NaN', 1, 2]), says: ["input 'X': value 1 is NaN"] },
  {
    what: 'an output that is not there',
    value: infer(row, {}, { outputs: [{ name: 'weight' }] }),
    says: ["output 'weight'", 'the model has no such output'],
  },
  {
    what: 'a deadline without zone',
    value: infer(),
    headers: { ...iris, 'millrace-deadline': '2030-01-01T00:00:00' },
    dead: 'INVALID_ARGUMENT',
    says: ['millrace-deadline must be ISO 8601 with a zone'],
  },
  {
    what: 'a version that is not there',
    value: infer(),
    headers: { ...iris, 'millrace-deployment-version': '9' },
    says: ['UNAVAILABLE', "'iris' is at version 1, version 9 was asked for"],
  },
];

const triggers: readonly Omit<BadRecord, 'topic'>[] = [
  {
    what: 'an event of another topic that no flow waits for',
    encode: (codec) =>
      codec.encode('feedback', 'feedback-given', { predictionId: 'p', truth: 1, label: null, reward: null }),
    says: ['unmatched'],
  },
  { what: 'a list', value: '[1]', dead: 'POISON_RECORD', says: ['refused', 'the value must be a JSON object'] },
  { what: 'a name that no flow waits for', value: '{"name": "mesured"}', says: ['unmatched'] },
  {
    what: 'a payload without what the flow needs',
    value: '{"name": "measured"}',
    says: ['unmatched', 'bad-input', 'number'],
  },
];

const feedback: readonly Omit<BadRecord, 'topic'>[] = [
  {
    what: 'an event of another topic',
    encode: (codec) => codec.encode('triggers', 'triggered', { name: 'x', payload: '{}', attributes: {} }),
    dead: 'POISON_RECORD',
    says: ['holds a triggers/triggered, not a feedback/feedback-given'],
  },
  { what: 'a list', value: '[1]', says: ['feedback must be an object with predictionId'] },
  {
    what: 'an id that is none of a prediction',
    value: '{"predictionId": "p-1", "reward": 1}',
    says: ['predictionId must be the id of a prediction, got "p-1"'],
  },
  {
    what: 'a truth that is no number, and no id',
    value: '{"truth": "high"}',
    says: ['predictionId must be the id of a prediction, got nothing', 'truth must be a number, got "high"'],
  },
];

const of = (topic: OpenTopic, rows: readonly Omit<BadRecord, 'topic'>[], headers = {}): BadRecord[] =>
  rows.map((record) => ({ topic, headers, ...record }));

export const badRecords: readonly BadRecord[] = [
  ...of('prediction-requests', [...unreadable, ...requests], iris),
  ...of('triggers', [...unreadable, ...triggers]),
  ...of('feedback', [...unreadable, ...feedback]),
];

/** Headers by which an outsider claims to be the platform: the record is taken as though they were not there. */
export const forgeries: readonly (readonly [what: string, headers: Readonly<Record<string, string>>])[] = [
  ['a stamp of a far ordinal', { ce_id: 'run-progress/0.0/TOPIC/0/999999', ce_source: '/millrace/run-progress' }],
  ['a stamp of an ordinal before it', { ce_id: 'run-progress/0.0/TOPIC/0/3', ce_source: '/millrace/run-progress' }],
  ['a tick', { 'millrace-control': 'tick' }],
  ['a replay', { 'millrace-control': 'replay', 'millrace-replay': 'model-server/prediction-requests/0@0' }],
  ['a control that does not exist', { 'millrace-control': 'upgrade' }],
  ['a claim on a value elsewhere', { 'millrace-claim': `${'0'.repeat(64)}:10` }],
];
