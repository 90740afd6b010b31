import { existsSync, readFileSync, writeFileSync } from "node:fs";
import {
  type ContainerState,
  containerState,
  createArgv,
  type Engine,
  killContainer,
  lastLine,
  saysEngineGone,
  superviseArgv,
  unanswered,
} from "../../../kit/containers/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { DEFAULT_LADDER, StopError, ToolError, type ToolRun } from "../../handler.ts";
import { type Context, containerName, places } from "./container-job.ts";
import { endFault } from "./ended.ts";
import { followErrors } from "./follow-errors.ts";
import { engineEnvironment } from "./image.ts";
import { requestOf } from "./request.ts";

/** Longest wait for an engine that is gone while its container runs, and between two looks. Milliseconds. */
const ENGINE_BACK_MS = 30_000;
const ENGINE_LOOK_MS = 1_000;
/** Attachments to one container: a client that ends before its container is replaced. */
const MAX_ATTACHED = 20;
const EVERY_CODE = Array.from({ length: 256 }, (_, code) => code);
/** Of the cancel ladder's grace, kept for what follows the container's end. */
const AFTER_STOP_MS = 2_000;

/** Makes the container, once, and follows it to its end. Throws RunnerError with the reason when that is no success. */
export async function runContainer(ctx: Context, engine: Engine): Promise<void> {
  try {
    await create(ctx, engine);
    await follow(ctx, engine);
  } catch (error) {
    // The cancel ladder ended the client; what it could not stop in its time ends here.
    if (error instanceof StopError && error.stop.kind !== "abandoned") await killContainer(engine, containerName(ctx));
    throw error;
  }
}

async function create(ctx: Context, engine: Engine): Promise<void> {
  const { request, passed } = requestOf(ctx, engine);
  const argv: [string, ...string[]] = [engine.program, ...createArgv(engine, request)];
  const env = { ...engineEnvironment(ctx, engine), ...passed };
  const { begun } = places(ctx);
  writeFileSync(begun, "");
  try {
    await ctx.exec({ key: "create", argv, env, cwd: ctx.workspace.root, capture: `${begun}.id` });
  } catch (error) {
    if (!(error instanceof ToolError) || error.end.code === null) throw error;
    const said = error.end.tail;
    if (saysEngineGone(said)) throw unanswered(engine, lastLine(said));
    throw new RunnerError("job", `${engine.name} refused to make the container: ${lastLine(said)}`);
  }
}

async function follow(ctx: Context, engine: Engine): Promise<void> {
  const name = containerName(ctx);
  const { errors } = places(ctx);
  const graceMs = ctx.options.cancel_grace_ms ?? DEFAULT_LADDER.grace_ms;
  const graceSeconds = Math.max(0, Math.floor((graceMs - AFTER_STOP_MS) / 1000));
  const env = engineEnvironment(ctx, engine);
  const followed = followErrors(errors, ctx.log);
  let engineLost = false;
  try {
    for (let count = 0; count < MAX_ATTACHED; count++) {
      const argv = superviseArgv(engine, { name, graceSeconds, errors, how: count === 0 ? "start" : "attach" });
      const key = count === 0 ? "run" : `attach-${count}`;
      const lost = await attached(ctx, { key, argv, env, cwd: ctx.workspace.root });
      const asked = await stateOf(ctx, engine, name);
      engineLost ||= asked.waited;
      if (!asked.state.running) {
        if (lost !== null && asked.state.started && !asked.state.finished) throw lost;
        return ended(ctx, asked.state, engineLost);
      }
      const what = lost === null ? `${engine.name} let go of the container` : "the engine's client was killed";
      ctx.log.warn(`${what}, which still runs: following it again; output in between is missing`);
    }
  } finally {
    followed.stop();
  }
  throw new RunnerError("environment", `${engine.name} lets go of its container again and again`);
}

/** Until the client ends; the error when it left no exit code, else null. */
async function attached(ctx: Context, tool: Omit<ToolRun, "expect">): Promise<ToolError | null> {
  try {
    await ctx.exec({ ...tool, expect: EVERY_CODE });
    return null;
  } catch (error) {
    // The container's own code is the engine's to tell.
    if (error instanceof ToolError && error.end.code === null) return error;
    throw error;
  }
}

function ended(ctx: Context, state: ContainerState, engineLost: boolean): void {
  ctx.exited(state.started ? state.exitCode : 125);
  // What never started wrote nothing: this is the engine's client.
  const said = state.started ? "" : tailOf(places(ctx).errors);
  const { request } = requestOf(ctx, ctx.containers.engine());
  const fault = endFault({ state, said, memoryBytes: request.memoryBytes, engineLost });
  if (fault !== null) throw fault;
}

/** The container's state, from an engine that may have to come back first. */
async function stateOf(
  ctx: Context,
  engine: Engine,
  name: string,
): Promise<{ state: ContainerState; waited: boolean }> {
  for (let waitedMs = 0; ; waitedMs += ENGINE_LOOK_MS) {
    const asked = await containerState(engine, name);
    if (asked.ok && asked.value !== null) return { state: asked.value, waited: waitedMs > 0 };
    if (asked.ok) throw new RunnerError("environment", `the container was removed by somebody else while it ran`);
    if (ctx.signal.aborted) throw new StopError(ctx.signal.reason);
    if (waitedMs >= ENGINE_BACK_MS) throw engineStayedAway(asked.error);
    if (waitedMs === 0) ctx.log.warn(`${asked.error.message}; waiting for it`);
    await Bun.sleep(ENGINE_LOOK_MS);
  }
}

const engineStayedAway = (error: RunnerError) =>
  new RunnerError("environment", `the container engine died while the container ran: ${error.message}`, {
    remedy: "Start the engine again; what it left of this job is removed at the next start of the runner.",
  });

function tailOf(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8").slice(-4096) : "";
}
