#!/usr/bin/env node
import { runCli } from "./program.ts";
import { tolerateClosedOutput } from "./terminal.ts";

tolerateClosedOutput();
process.exitCode = await runCli(process.argv.slice(2));
