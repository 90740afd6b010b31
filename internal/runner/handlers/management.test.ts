import { describe, expect, test } from "bun:test";
import { JOB_TYPES } from "../../protocol/enums.ts";
import type { Handler, JobContext, ManagedEnd, RunnerControl } from "../handler.ts";
import { registry } from "./registry.ts";

const types = JOB_TYPES.filter((type) => type.startsWith("mng-"));

interface Asked {
  readonly ctx: JobContext<unknown>;
  readonly calls: string[];
  readonly stop: AbortController;
}

function context(
  type: string,
  options: { end?: Promise<ManagedEnd>; tag?: string; metadata?: Record<string, string> } = {},
): Asked {
  const calls: string[] = [];
  const stop = new AbortController();
  const end = options.end ?? Promise.resolve({ ok: true, text: "done" });
  const runner: RunnerControl = {
    version: "1.0.0",
    settings: () => null,
    freshSettings: async () => ({ container_image_tag: options.tag ?? "v2.0.0" }),
    checkLoops: () => ({}),
    shutdown: (how) => void calls.push(`shutdown ${how}`),
    management: {
      update: (id, wanted) => {
        calls.push(`update ${id} ${wanted}`);
        return end;
      },
      restart: () => {
        calls.push("restart");
        return end;
      },
      powerOff: () => void calls.push("power off"),
    },
  };
  const parts: Partial<JobContext<unknown>> = {
    runner,
    signal: stop.signal,
    execution: { id: "exe1", epoch: 1 },
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    job: { id: "j", created_by_id: "t", type, operation: "exec", metadata: options.metadata ?? {} },
  };
  return { ctx: parts as JobContext<unknown>, calls, stop };
}

async function work(type: (typeof types)[number], options?: Parameters<typeof context>[1]): Promise<string[]> {
  const handler: Handler = registry[type];
  const { ctx, calls } = context(type, options);
  await handler.validate?.(ctx);
  await handler.execute(ctx);
  await handler.cleanup?.(ctx);
  return calls;
}

describe("a management job", () => {
  test("asks for what its type says, under the id of its execution", async () => {
    expect(await work("mng-runner-update-version")).toEqual(["update exe1 v2.0.0"]);
    expect(await work("mng-runner-restart")).toEqual(["restart"]);
    expect(await work("mng-shut-down")).toEqual(["shutdown graceful"]);
    expect(await work("mng-vm-shut-down")).toEqual([]);
    expect(await work("mng-vm-shut-down", { metadata: { shutdown_type: "vm" } })).toEqual([
      "power off",
      "shutdown graceful",
    ]);
  });

  test("fails with the reason when the runner did not get healthy", async () => {
    const end = Promise.resolve({ ok: false, text: "version 2.0.0 was rolled back: it hangs" });
    for (const type of ["mng-runner-update-version", "mng-runner-restart"] as const)
      await expect(work(type, { end })).rejects.toThrow("version 2.0.0 was rolled back: it hangs");
  });

  test("to update names no version when the settings say `latest`: it fails and touches nothing", async () => {
    await expect(work("mng-runner-update-version", { tag: "latest" })).rejects.toThrow("the settings name no version");
  });

  test("that is cancelled ends at once; what it asked for goes on", async () => {
    const { ctx, calls, stop } = context("mng-runner-restart", { end: new Promise(() => {}) });
    const handler: Handler = registry["mng-runner-restart"];
    const over = handler.execute(ctx);
    stop.abort(new Error("cancelled by a person"));
    await expect(over).rejects.toThrow("cancelled by a person");
    expect(calls).toEqual(["restart"]);
  });

  for (const type of types) {
    test(`of type ${type} is refused by a process that manages nothing`, async () => {
      const handler: Handler = registry[type];
      const { ctx } = context(type);
      const { management: _, ...runner } = ctx.runner;
      await expect(handler.validate?.({ ...ctx, runner })).rejects.toThrow(`${type} is for a process in mode mng`);
    });
  }
});

describe("an update-version job", () => {
  const handler: Handler = registry["update-version"];
  const run = async (own?: RunnerControl["ownUpdate"], tag = "v2.0.0") => {
    const { ctx, calls } = context("update-version", { tag });
    await handler.execute({ ...ctx, runner: { ...ctx.runner, ...(own ? { ownUpdate: own } : {}) } });
    return calls;
  };

  test("puts the version in place, then ends the process; without an installation of its own it only ends it", async () => {
    const asked: string[] = [];
    const own = async (id: string, wanted: string) => {
      asked.push(`${id} ${wanted}`);
      return { ok: true, text: "in place" };
    };
    expect(await run(own)).toEqual(["shutdown graceful"]);
    expect(asked).toEqual(["exe1 v2.0.0"]);
    expect(await run()).toEqual(["shutdown graceful"]);
    expect(await run(own, "v1.0.0")).toEqual(["shutdown graceful"]);
    expect(asked).toHaveLength(1);
  });

  test("leaves the process alone when the version cannot be had", async () => {
    const { ctx, calls } = context("update-version");
    const ownUpdate = async () => ({ ok: false, text: "there is no version 2.0.0" });
    const over = handler.execute({ ...ctx, runner: { ...ctx.runner, ownUpdate } });
    await expect(over).rejects.toThrow("there is no version 2.0.0");
    expect(calls).toEqual([]);
  });
});
