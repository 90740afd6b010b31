import { afterAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { makeBed, until } from "../faults/lib/processes.ts";

const bed = makeBed();
afterAll(() => bed.end());

test("`run-local --watch` runs again when a file beside the job file changes, outlives mistakes, and ends with Ctrl-C", async () => {
  mkdirSync(bed.path("work", "scripts"), { recursive: true });
  const script = bed.path("work", "scripts", "say.sh");
  const job = bed.path("work", "job.yaml");
  const sample =
    "type: actions-workflow\nspec:\n  steps: [{ name: s, source: { path: ./scripts }, command: sh say.sh }]\n";
  writeFileSync(script, "echo first\n");
  writeFileSync(job, sample);
  const proc = bed.spawn(["run-local", "--watch", job, "--outputs", bed.path("work", "out.json")]);
  const waits = () => proc.stderr().split("waiting for a change").length - 1;
  await until("the first run", () => waits() === 1);
  expect(proc.stdout()).toContain("first");

  writeFileSync(script, "echo second; echo answer=42 >> $RUNNER_OUTPUT\n");
  await until("the second run", () => waits() === 2);
  expect(proc.stdout()).toContain("second");

  writeFileSync(job, sample.replace("steps", "stepz"));
  await until("the mistake is told", () => waits() === 3);
  expect(proc.stderr()).toContain('unknown key "stepz"');

  writeFileSync(job, sample);
  await until("it is run again", () => waits() === 4);
  expect(proc.stdout().split("second").length).toBe(3);
  // What the runs themselves write (state, outputs) is no change: nothing has been run since.
  await Bun.sleep(1_000);
  expect(waits()).toBe(4);

  proc.signal("SIGINT");
  expect(await proc.exited).toBe(0);
}, 60_000);
