import { afterEach, describe, expect, test } from "bun:test";
import { closeSync, existsSync, writeSync } from "node:fs";
import { silentLog } from "../../kit/base/system-log.ts";
import { ok } from "../../protocol/errors.ts";
import { executionFolder } from "./execution-folder.ts";
import { createJobOutput } from "./job-output.ts";
import { removeFolders, scriptedPlane, tempFolder, workOf } from "./test-bed.ts";

afterEach(removeFolders);

const SECRET = "hunter2-of-the-production-database";

function bed() {
  const stateDir = tempFolder();
  const { execution: ref } = workOf("exe1");
  const folder = executionFolder(stateDir, ref);
  const shipped: string[] = [];
  const output = createJobOutput({
    options: { minFreeBytes: 0, logCapBytes: 1 << 20, logIntervalMs: 1 },
    deps: {
      controlPlane: scriptedPlane({
        logs: async (_ref, batch) => {
          shipped.push(...batch.records.map((record) => record.text));
          return ok({ stored: batch.to });
        },
      }),
      log: silentLog,
    },
    ref,
    folder,
    nonce: null,
    place: () => ({ phase: "execute", step: "" }),
    processSignal: new AbortController().signal,
  });
  const print = (text: string) => {
    const fd = output.openForTool();
    writeSync(fd, text);
    closeSync(fd);
  };
  return { output, folder, shipped, print };
}

describe("the output of a job", () => {
  test("has no file and no request when nothing is said", async () => {
    const { output, folder, shipped } = bed();
    output.wake();
    await output.flush(1_000);
    await output.finish(1_000);
    expect([existsSync(folder.root), shipped]).toEqual([false, []]);
  });

  test("is shipped to its last byte, without secrets", async () => {
    const { output, shipped, print } = bed();
    output.redactor.register(SECRET);
    output.log.info(`with ${SECRET}`);
    print(`password=${SECRET}\nlast`);
    await output.finish(5_000);
    expect(shipped.join("")).not.toContain(SECRET);
    expect(shipped.join("")).toContain("password=[redacted]");
    expect(shipped.at(-1)).toContain("last");
  });

  test("shows in its tail what a tool printed, and no half of a secret where the tail begins", async () => {
    const { output, print } = bed();
    output.redactor.register(SECRET);
    print("before the tool\n");
    const tail = output.mark();
    output.log.info("a line of the runner");
    const behind = `\n${"y".repeat(4 * 1024 - 10)}end`;
    print(`${"x".repeat(9_000)}${SECRET}${behind}`);
    const shown = tail();
    for (let n = 1; n + 8 <= SECRET.length; n++) expect(shown).not.toContain(SECRET.slice(n, n + 8));
    expect(shown.endsWith("yend")).toBe(true);
    expect(shown.length).toBeLessThanOrEqual(4 * 1024);
    expect(output.mark()()).toBe("");
    await output.finish(5_000);
  });
});
