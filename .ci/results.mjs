/**
 * Reads what vitest's JSON reporter wrote.
 *
 *   node .ci/results.mjs red FILE             the test files with a red test, one a line; exit code 1 when the run did not end
 *   node .ci/results.mjs sum DIR FAILED       every red test with its reason, every test that was red once, then "N passed, N failed";
 *                                             FAILED: steps that failed without a test to name
 *
 * `again-NAME.json` is the second run of the red files of `NAME.json`: a test that is green there counts as passed, and is named as FLAKY.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const [verb, where, failedSteps] = process.argv.slice(2);
if (verb === 'red') printRedFiles(where);
else if (verb === 'sum') printSum(where, Number(failedSteps));
else throw new Error(`results.mjs: verb '${verb}' is neither red nor sum`);

function printRedFiles(file) {
  const results = read(file);
  if (results === undefined) process.exitCode = 1;
  else
    for (const { name, status } of results.testResults)
      if (status === 'failed') console.log(relative(process.cwd(), name));
}

function printSum(dir, failedBefore) {
  let passed = 0;
  let failed = failedBefore;
  for (const name of readdirSync(dir).filter((name) => !name.startsWith('again-'))) {
    const results = read(join(dir, name));
    const again = read(join(dir, `again-${name}`));
    const green = new Set(
      again?.testResults.flatMap((file) => file.assertionResults.filter(isGreen).map((test) => idOf(file, test))),
    );
    const greenFiles = new Set(again?.testResults.filter(({ status }) => status === 'passed').map(({ name }) => name));
    if (results === undefined) {
      console.log(`RED ${name}: the run did not end`);
      failed += 1;
      continue;
    }
    passed += results.numPassedTests;
    for (const file of results.testResults) {
      const red = file.assertionResults.filter(({ status }) => status === 'failed');
      for (const test of red) {
        const flaky = green.has(idOf(file, test));
        console.log(
          `${flaky ? 'FLAKY' : 'RED'} ${file.name}: ${test.fullName}\n  ${test.failureMessages[0]?.slice(0, 2000)}`,
        );
        if (flaky) passed += 1;
        else failed += 1;
      }
      if (red.length > 0 || file.status !== 'failed') continue;
      const flaky = greenFiles.has(file.name); // red as a file: a hook or an import of it
      console.log(`${flaky ? 'FLAKY' : 'RED'} ${file.name}: ${file.message.slice(0, 2000)}`);
      if (!flaky) failed += 1;
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

/** Undefined when the run did not end, or was not needed. */
function read(file) {
  try {
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  } catch {
    return undefined;
  }
}

function isGreen({ status }) {
  return status === 'passed';
}

function idOf(file, test) {
  return `${file.name}\u0000${test.fullName}`;
}
