import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { auditFile, verifyAudit } from "../kit/audit/trail-file.ts";
import { silentLog } from "../kit/base/system-log.ts";
import { ok, RunnerError } from "../protocol/errors.ts";
import type { RunnerSettings } from "../protocol/nuon/settings.ts";
import { DEFAULT_TIMES } from "../protocol/times.ts";
import type { Granted, Wish } from "./controlplane/control-plane.ts";
import type { Handler } from "./handler.ts";
import { registry } from "./handlers/registry.ts";
import { removeFolders, scriptedPlane, tempFolder, turns, workOf } from "./loop/test-bed.ts";
import { startRunner } from "./start.ts";

afterEach(removeFolders);

const unused = () => Promise.reject(new RunnerError("defect", "not used in this test"));

test("a job sees the settings as they are now: a wish has them read again; the runner tells them and its end", async () => {
  const stateDir = tempFolder();
  const seen: (string | null | undefined)[] = [];
  const handler: Handler = {
    types: ["noop"],
    plan: null,
    execute: async ({ runner }) => {
      seen.push(runner.settings()?.logging_level);
      return null;
    },
  };
  let level = "info";
  const answers: ((granted: Granted) => void)[] = [];
  const plane = scriptedPlane({
    connect: async () => ok({ settings: { logging_level: level }, times: DEFAULT_TIMES, held: [] }),
    settings: async () => ok<RunnerSettings>({ logging_level: level }),
    claim: async (_wish, signal) => {
      const answer = Promise.withResolvers<Granted>();
      answers.push(answer.resolve);
      const givenUp = () => answer.resolve({ work: [], directives: [], after: 0 });
      signal.addEventListener("abort", givenUp, { once: true });
      return ok(await answer.promise);
    },
    renew: async () => ok({ leases: [], lost: [], directives: [], after: 0 }),
    complete: async (_ref, _completion, cleanup) => {
      await cleanup();
      return ok({ recorded: true, reason: "" });
    },
  });
  const slots = { operations: 1 };
  const runner = startRunner(
    {
      mode: "all",
      version: "1",
      runnerId: "run1",
      stateDir,
      slots,
      labels: {},
      drainTimeoutMs: null,
      minFreeBytes: 0,
      logCapBytes: 1 << 20,
      logIntervalMs: 100,
    },
    {
      controlPlane: plane,
      handlers: { ...registry, noop: handler },
      tools: { find: unused, cacheDir: stateDir, providerMirror: null, env: (extra) => ({ ...extra }) },
      sources: () => ({ oci: unused, git: unused }),
      log: silentLog,
    },
  );
  const give = async (work: Granted["work"], directives: readonly Wish[] = []) => {
    while (answers.length === 0) await turns();
    answers.shift()?.({ work, directives, after: 1 });
    await turns();
  };
  expect(runner.status().state).toBe("starting");
  await runner.ready;
  expect(runner.status()).toMatchObject({ state: "ready", slots: { operations: { slots: 1, free: 1 } } });
  await give([workOf("e1")]);
  while (runner.status().executions.length > 0) await turns();
  level = "error";
  await give([], [{ kind: "settings" }]);
  await give([workOf("e2")]);
  while (runner.status().executions.length > 0) await turns();
  expect(seen).toEqual(["info", "error"]);
  expect(runner.status().settings).toEqual({ logging_level: "error" });
  runner.drain("the test is over");
  expect(runner.status().state).toBe("draining");
  expect(await runner.ended).toBe(0);
  const file = auditFile(stateDir);
  expect(verifyAudit(file)).toMatchObject({ ok: true, lines: 2 });
  expect(readFileSync(file, "utf8")).toContain('"job":"job-e2","type":"noop"');
});
