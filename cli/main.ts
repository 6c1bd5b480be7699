#!/usr/bin/env node
import { exitCode } from './exit-codes.ts';
import { runCommand } from './program.ts';

process.on('SIGINT', () => process.exit(exitCode.interrupted));
process.exitCode = await runCommand(process.argv.slice(2));
// A kept-alive connection must not keep the command from ending.
setTimeout(() => process.exit(), 2_000).unref();
