// What a program sees, with nothing but its language's own library.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
const manifest = JSON.parse(readFileSync(process.env.MILLRACE_MANIFEST, 'utf8'));
const { artifacts, output, ...rest } = manifest;
const read = (name) => readFileSync(artifacts[name].path);
writeFileSync(
  `${process.env.MILLRACE_OUTPUT}/seen.json`,
  JSON.stringify({
    ...rest,
    rows: JSON.parse(read('rows')),
    nested: JSON.parse(read('nested')),
    codecs: Object.fromEntries(Object.entries(artifacts).map(([name, { codec }]) => [name, codec])),
    bytes: Object.fromEntries(Object.keys(artifacts).map((name) => [name, read(name).length])),
    arguments: process.argv.slice(2),
    alpha: process.env.MILLRACE_PARAMETER_alpha,
    names: ['RUN_ID', 'TASK_ID', 'STEP', 'ATTEMPT', 'IDEMPOTENCY_KEY'].map((name) => process.env[`MILLRACE_${name}`]),
    data: readdirSync('data'),
    outputIsThere: output === process.env.MILLRACE_OUTPUT,
    parent: Object.keys(process.env).filter((name) => /^NODE_(PATH|CHANNEL)/.test(name)),
  }),
);
writeFileSync(`${process.env.MILLRACE_OUTPUT}/copy.npy`, read('matrix'));
writeFileSync(`${process.env.MILLRACE_OUTPUT}/notes.txt`, 'schön');
writeFileSync(artifacts.big.path, 'overwritten');
