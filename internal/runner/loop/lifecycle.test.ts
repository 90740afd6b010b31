import { describe, expect, test } from "bun:test";
import { RunnerError } from "../../protocol/errors.ts";
import type { ExecutionResultRequest } from "../../protocol/nuon/jobs.ts";
import { type Handler, type JobContext, type JobOptions, StopError, type StopReason, ToolError } from "../handler.ts";
import { type LifecycleDeps, PHASES, type Phase, runLifecycle } from "./lifecycle.ts";
import { manualClock } from "./test-bed.ts";

const RESULT: ExecutionResultRequest = { success: true, contents: "a plan" };
/** No step of these tests looks at it. */
const OPTIONS: JobOptions = { verify: false, sensitive_vars: [] };
const CONTEXT = { options: OPTIONS } as JobContext<unknown>;
const NO_OUTPUTS = { values: {}, sensitive: [] };

interface Wish
  extends Partial<Pick<LifecycleDeps, "done" | "context" | "savedResult" | "saveResult" | "toolStopping">> {
  readonly handler?: Partial<Handler>;
}

function bed(wish: Wish = {}) {
  const clock = manualClock();
  const controller = new AbortController();
  const ran: string[] = [];
  const entered: [Phase, string, string][] = [];
  const step = (name: string) => async () => void ran.push(name);
  const handler: Handler = {
    types: ["noop"],
    plan: null,
    fetch: step("fetch"),
    validate: step("validate"),
    initialize: step("initialize"),
    execute: async () => {
      ran.push("execute");
      return RESULT;
    },
    outputs: async () => {
      ran.push("outputs");
      return { values: { url: "u", password: "p" }, sensitive: ["password"] };
    },
    ...wish.handler,
  };
  const start = () =>
    runLifecycle({
      signal: controller.signal,
      done: [],
      context: async () => CONTEXT,
      savedResult: () => null,
      saveResult: () => true,
      secretIn: () => false,
      toolStopping: () => false,
      ...wish,
      handler,
      entering: async (phase, status, done) => void entered.push([phase, status, done.join(",")]),
      sleep: (ms) => clock.sleep(ms),
    });
  const stop = (kind: StopReason["kind"], why = "because") => controller.abort({ kind, why });
  return { start, stop, clock, ran, entered };
}

/** A step that fails with this. */
const failing = (error: unknown): Wish => ({ handler: { execute: () => Promise.reject(error) } });

describe("the steps of a job", () => {
  test("run in their order, each announced with the steps that are over by then", async () => {
    const { start, ran, entered } = bed();
    expect(await start()).toEqual({
      status: "finished",
      reason: "",
      code: "",
      result: RESULT,
      outputs: { url: "u", password: "p" },
      sensitive_outputs: ["password"],
    });
    expect(ran).toEqual([...PHASES]);
    expect(entered).toEqual([
      ["fetch", "initializing", ""],
      ["validate", "initializing", "fetch"],
      ["initialize", "initializing", "fetch,validate"],
      ["execute", "in-progress", "fetch,validate,initialize"],
      ["outputs", "in-progress", "fetch,validate,initialize,execute"],
    ]);
  });

  test("that were over before a restart are not run again, and the result of the work is the one of then", async () => {
    const { start, ran } = bed({ done: ["fetch", "validate", "initialize", "execute"], savedResult: () => RESULT });
    expect(await start()).toMatchObject({ status: "finished", result: RESULT, outputs: { url: "u" } });
    expect(ran).toEqual(["outputs"]);
  });

  test("that a handler does not have are no failure", async () => {
    const handler = { types: ["noop"], plan: null, execute: async () => null } as const;
    const { start } = bed({
      handler: { ...handler, outputs: async () => NO_OUTPUTS },
    });
    expect(await start()).toMatchObject({ status: "finished", result: null, outputs: {}, sensitive_outputs: [] });
  });

  test("whose result cannot be kept on a full disk are reported from memory, and count as not over", async () => {
    const { start, entered } = bed({ saveResult: () => false });
    expect(await start()).toMatchObject({ status: "finished", result: RESULT });
    expect(entered.at(-1)).toEqual(["outputs", "in-progress", "fetch,validate,initialize"]);
  });

  test("never begin when the plan cannot be had", async () => {
    const { start, ran, entered } = bed({ context: () => Promise.reject(new RunnerError("protocol", "no plan")) });
    expect(await start()).toMatchObject({ status: "failed", reason: "no plan", code: "protocol" });
    expect([ran, entered]).toEqual([[], []]);
  });
});

describe("the outcome of a job", () => {
  const end = (code: number | null) => ({ code, duration_ms: 1, tail: "" });
  const table: readonly (readonly [string, unknown, string, string])[] = [
    [
      "a failure with its remedy",
      new RunnerError("usage", "bad ref", { remedy: "use a tag" }),
      "bad ref; use a tag",
      "usage",
    ],
    ["a tool's code", new ToolError("apply", end(3)), "apply exited with 3", "job"],
    ["a lost code", new ToolError("apply", end(null)), "exit_code_lost: apply: exit code lost", "exit_code_lost"],
    ["a defect of ours", new TypeError("x is undefined"), "x is undefined", "defect"],
  ];
  for (const [name, error, reason, code] of table) {
    test(`of ${name} is failed, with a reason for people and a word for machines`, async () => {
      expect(await bed(failing(error)).start()).toEqual({
        status: "failed",
        reason,
        code,
        result: null,
        outputs: null,
        sensitive_outputs: [],
      });
    });
  }

  for (const kind of ["cancelled", "timed-out"] as const) {
    test(`that is ${kind} says so, whatever error the stop caused`, async () => {
      const { start, stop } = bed({
        handler: {
          execute: async () => {
            stop(kind, "enough");
            throw new Error("aborted by the signal");
          },
        },
      });
      expect(await start()).toMatchObject({ status: kind, reason: "enough", code: kind });
    });

    test(`that is ${kind} in its last step counts, though the step did not notice`, async () => {
      const { start, stop } = bed({
        handler: {
          outputs: async () => {
            stop(kind);
            return NO_OUTPUTS;
          },
        },
      });
      expect((await start())?.status).toBe(kind);
    });
  }

  for (const kind of ["fenced", "abandoned"] as const) {
    test(`that is ${kind} is nobody's to report`, async () => {
      const stopped = new StopError({ kind, why: "gone" });
      expect(await bed(failing(stopped)).start()).toBeNull();
    });
  }

  test("that is stopped between two steps begins none of the later ones", async () => {
    const { start, stop, ran } = bed({ handler: { validate: async () => stop("cancelled") } });
    expect((await start())?.status).toBe("cancelled");
    expect(ran).toEqual(["fetch"]);
  });
});

describe("a step that does not react to its stop", () => {
  const deaf: Wish["handler"] = { execute: () => new Promise(() => {}) };

  test("is left behind after half a minute", async () => {
    const { start, stop, clock } = bed({ handler: deaf });
    const ended = start();
    await clock.advance(0);
    stop("cancelled", "enough");
    await clock.advance(29_999);
    expect(await Promise.race([ended, "still waiting"])).toBe("still waiting");
    await clock.advance(1);
    expect(await ended).toMatchObject({ status: "cancelled", reason: "enough" });
  });

  test("is waited for as long as its tool is being stopped", async () => {
    let stopping = true;
    const { start, stop, clock } = bed({ handler: deaf, toolStopping: () => stopping });
    const ended = start();
    await clock.advance(0);
    stop("timed-out");
    for (let n = 0; n < 10; n++) await clock.advance(30_000);
    expect(await Promise.race([ended, "still waiting"])).toBe("still waiting");
    stopping = false;
    await clock.advance(30_000);
    expect((await ended)?.status).toBe("timed-out");
  });
});
