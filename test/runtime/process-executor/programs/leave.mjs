import { writeFileSync } from 'node:fs';
const out = process.env.MILLRACE_OUTPUT;
writeFileSync(`${out}/fit.bin`, new Uint8Array(100_000).fill(8));
writeFileSync(`${out}/t`, Buffer.from('ARROW1\0\0abc'));
writeFileSync(`${out}/forgotten.log`, 'x');
writeFileSync(
  `${out}/manifest.json`,
  `{
    "artifacts": {"model": "fit.bin", "table": {"path": "t", "codec": "arrow"}, "extra": {"value": [1, null]}},
    "metrics": {"rmse": 0.25, "worst": NaN},
    "params": {"alpha": "-Infinity, as text"},
    "models": [{"model": "wine", "path": "fit.bin", "metrics": {"rmse": 0.25}, "alias": "champion", "tags": {"by": "node"}}]
  }`,
);
