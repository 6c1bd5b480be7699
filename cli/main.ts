#!/usr/bin/env -S node --max-semi-space-size=64
import module from 'node:module';
import { exitCode } from './exit-codes.ts';

// Where Node can (22 and later), compiled code is kept between commands; what is imported before this is not.
(module as { enableCompileCache?: () => void }).enableCompileCache?.();
const { runCommand } = await import('./program.ts');

process.on('SIGINT', () => process.exit(exitCode.interrupted));
process.exitCode = await runCommand(process.argv.slice(2));
// A kept-alive connection must not keep the command from ending.
setTimeout(() => process.exit(), 2_000).unref();
