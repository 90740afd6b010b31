import { BINARY, ensureBuilt } from "./lib/build.ts";
import { check } from "./lib/check.ts";
import { runFaults } from "./lib/faults.ts";
import { images } from "./lib/images.ts";
import { ensureInstalled } from "./lib/install.ts";
import { release } from "./lib/release.ts";
import { BUN, run } from "./lib/spawn.ts";
import { runTests } from "./lib/tests.ts";

/** What `npm start`, `npm test` and the others run. Each task does the set-up that it needs, in a fresh clone too. */
const TASKS: Record<string, (args: readonly string[]) => Promise<number>> = {
  async start(args) {
    await ensureBuilt();
    return run([BINARY, "up", ...args]);
  },
  async build() {
    await ensureBuilt();
    console.log("dist/runner");
    return 0;
  },
  async test(args) {
    await ensureBuilt();
    return runTests(args);
  },
  async faults(args) {
    await ensureBuilt();
    return runFaults(args);
  },
  async bench(args) {
    await ensureBuilt();
    return run([BUN, "test/bench/main.ts", ...args]);
  },
  check,
  images,
  release,
  async generate(args) {
    return run([BUN, "scripts/generate.ts", ...args]);
  },
};

const [name = "", ...args] = process.argv.slice(2);
const task = TASKS[name];
if (!task) {
  console.error(`runner: unknown task ${JSON.stringify(name)}\n  → One of ${Object.keys(TASKS).join(", ")}.`);
  process.exit(2);
}
await ensureInstalled();
process.exit(await task(args));
