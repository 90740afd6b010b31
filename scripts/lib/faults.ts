import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY } from "./build.ts";
import { BUN, ROOT, run } from "./spawn.ts";

const USAGE = `runner: npm run faults -- [--repeat N] [--only PATTERN] [FILE…]
  → PATTERN is a regular expression on the titles; FILE a test file, all of test/faults without one.
  → RUNNER_BIN names another binary than dist/runner.`;

interface Wish {
  readonly rounds: number;
  readonly args: readonly string[];
}

/**
 * The fault suite once with its own output, or N rounds with a line each. The log of a round that failed is kept and
 * named; the exit code is 1 when one did.
 */
export async function runFaults(argv: readonly string[]): Promise<number> {
  const wish = wishOf(argv);
  if (wish === null) {
    console.error(USAGE);
    return 2;
  }
  const command = [BUN, "test", "--timeout=120000", ...wish.args];
  const binary = process.env.RUNNER_BIN ?? BINARY;
  if (wish.rounds === 1) return run(command, { RUNNER_BIN: binary });
  const folder = mkdtempSync(join(tmpdir(), "runner-faults-"));
  let failed = 0;
  for (let round = 1; round <= wish.rounds; round++) {
    const file = join(folder, `round-${round}.log`);
    const log = openSync(file, "w");
    const begun = performance.now();
    const env = { ...process.env, RUNNER_BIN: binary };
    const child = Bun.spawn(command, { cwd: ROOT, stdin: "ignore", stdout: log, stderr: log, env });
    const code = await child.exited;
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    console.log(`round ${round} of ${wish.rounds}: ${code === 0 ? "clean" : "FAILED"} in ${seconds} s`);
    if (code === 0) rmSync(file);
    else {
      failed++;
      for (const line of (await Bun.file(file).text()).split("\n")) {
        if (line.startsWith("(fail)")) console.log(`  ${line}`);
      }
      console.log(`  log: ${file}`);
    }
  }
  console.log(`${wish.rounds - failed} of ${wish.rounds} rounds clean`);
  if (failed === 0) rmSync(folder, { recursive: true });
  return failed === 0 ? 0 : 1;
}

export function wishOf(argv: readonly string[]): Wish | null {
  const rest = [...argv];
  let rounds = 1;
  const pattern: string[] = [];
  const files: string[] = [];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--repeat") {
      const text = rest.shift() ?? "";
      if (!/^[1-9]\d{0,5}$/.test(text)) return null;
      rounds = Number(text);
    } else if (arg === "--only") {
      const text = rest.shift();
      if (!text) return null;
      pattern.push("-t", text);
    } else if (arg.startsWith("-")) return null;
    else files.push(arg);
  }
  return { rounds, args: [...pattern, ...(files.length > 0 ? files : ["./test/faults"])] };
}
