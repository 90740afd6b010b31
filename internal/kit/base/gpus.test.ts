import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findGpus } from "./gpus.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A PATH with a program of that name; there is no GPU here (TESTBED 9). */
function pathWith(script: string): string {
  const folder = mkdtempSync(join(tmpdir(), "gpus-"));
  folders.push(folder);
  writeFileSync(join(folder, "nvidia-smi"), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, "nvidia-smi"), 0o755);
  return `${folder}:/usr/bin:/bin`;
}

const ONE = "GPU-5a3c1f0e-8b1d-4c55-9c1e-0f1b7b0f6f01";
const TWO = "GPU-77e0c1aa-2f3b-44d2-8a3e-6a9f3b6e2c02";

describe("the GPUs of a machine", () => {
  test("are listed by UUID, with model and memory", async () => {
    const path = pathWith(
      `[ "$*" = "--query-gpu=uuid,name,memory.total --format=csv,noheader,nounits" ] || exit 9
       echo "${ONE}, NVIDIA A100-SXM4-40GB, 40960"; echo "${TWO}, NVIDIA GB10, [N/A]"`,
    );
    expect(await findGpus(path)).toEqual({
      ok: true,
      value: [
        { uuid: ONE, vendor: "nvidia", model: "NVIDIA A100-SXM4-40GB", memory_bytes: 40_960 * 2 ** 20 },
        { uuid: TWO, vendor: "nvidia", model: "NVIDIA GB10", memory_bytes: 0 },
      ],
    });
  });

  test("are none without the vendor's program, and none when it finds none", async () => {
    expect(await findGpus("/nonexistent")).toEqual({ ok: true, value: [] });
    expect(await findGpus(pathWith("echo No devices were found"))).toEqual({ ok: true, value: [] });
  });

  const broken = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.";
  const cases: [string, string, string][] = [
    ["a driver that is not loaded", `echo "${broken}"; exit 9`, broken],
    ["an answer of another form", "echo uuid, name", 'it says "uuid, name"'],
    ["a program that says nothing", "exit 3", "exit code 3"],
  ];
  for (const [name, script, why] of cases) {
    test(`cannot be listed with ${name}: the reason is told`, async () => {
      const found = await findGpus(pathWith(script));
      expect(found.ok ? "" : found.error.message).toBe(`the GPUs of this machine cannot be listed: ${why}`);
    });
  }

  test("are not waited for without end", async () => {
    const found = await findGpus(pathWith("exec sleep 600"), 50);
    expect(found.ok ? "" : found.error.message).toContain("no answer");
  });
});
