import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { z } from "zod";
import { EXIT, type ExitCode, RunnerError } from "../internal/protocol/errors.ts";
import { runnerCreated, runnerDoc } from "../internal/protocol/operator.ts";
import type { Command, Context } from "./lib/context.ts";
import { runLocalJob } from "./lib/local-job.ts";
import { type LocalPlane, startLocalPlane } from "./lib/local-plane.ts";
import type { OperatorClient } from "./lib/operator-client.ts";
import { writeQuickstart } from "./lib/quickstart.ts";
import { onStop } from "./lib/signals.ts";
import { nextFreePort, refusePlainHttp } from "./lib/start-coordinator.ts";
import { readJob } from "./lib/submit.ts";
import { toolsFor } from "./lib/tools.ts";

export const up: Command = async (context) => {
  const { listen, insecure, stateDir, once } = context.values;
  refusePlainHttp(listen.host, false, insecure);
  const home = stateDir ?? join(context.cwd, ".runner");
  const dataDir = join(home, "coordinator");
  mkdirHome(home);
  const interrupted = new AbortController();
  const stop = onStop([() => interrupted.abort()], { hangup: true });
  const plane = await startLocalPlane(context, {
    host: listen.host,
    port: await nextFreePort(listen.host, listen.port),
    dataDir,
    stateDir: join(home, "runner"),
    exclusive: true,
    identity: (client) => identityIn(join(home, "identity.json"), client),
    signal: interrupted.signal,
  });
  const keyFile = relative(context.cwd, join(dataDir, "admin.key"));
  context.say(`runner ${context.version} is up: ${plane.url}\nThe page asks for the admin key; it is in ${keyFile}\n`);
  const code = await quickstart(context, plane, join(home, "quickstart"), interrupted.signal);
  stop();
  if (once || interrupted.signal.aborted) {
    await plane.stop("the quickstart is over");
    return interrupted.signal.aborted ? EXIT.cancelled : code;
  }
  context.say(`\nThe coordinator goes on at ${plane.url}. Ctrl-C ends it. More work:`);
  context.say(`  export RUNNER_COORDINATOR_URL=${plane.url} RUNNER_ADMIN_KEY_FILE=${join(dataDir, "admin.key")}`);
  context.say("  runner job submit -f job.yaml --wait");
  return serve(plane);
};

/** Runs until told to stop: Ctrl-C cancels what runs, SIGTERM lets it end. */
async function serve(plane: LocalPlane): Promise<ExitCode> {
  const stop = onStop([plane.runner.drain, plane.runner.cancel, plane.runner.abandon], { interrupt: 1 });
  const code = await plane.runner.ended;
  await plane.stop("stopped");
  stop();
  return code;
}

async function quickstart(
  context: Context,
  plane: LocalPlane,
  folder: string,
  interrupted: AbortSignal,
): Promise<ExitCode> {
  if (interrupted.aborted) return EXIT.cancelled;
  const files = writeQuickstart(folder);
  const action = await runLocalJob(context, plane, await readJob(files.action, context.cwd));
  if (action.code !== EXIT.done) return action.code;
  const aborted = new Promise<null>((resolve) => interrupted.addEventListener("abort", () => resolve(null)));
  const missing = await Promise.race([missingTerraform(context), aborted]);
  if (interrupted.aborted) return EXIT.cancelled;
  if (missing) {
    context.say(`\nThe terraform part of the quickstart is left out: ${missing.message}`);
    if (missing.remedy) context.say(`  → ${missing.remedy}`);
    return EXIT.done;
  }
  return (await runLocalJob(context, plane, await readJob(files.terraform, context.cwd))).code;
}

/** Why there is no terraform, neither on PATH nor to be fetched; null: there is one. */
async function missingTerraform(context: Context): Promise<RunnerError | null> {
  try {
    await toolsFor(context).find("terraform", null);
    return null;
  } catch (error) {
    if (error instanceof RunnerError) return error;
    throw error;
  }
}

function mkdirHome(home: string): void {
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new RunnerError("environment", `state directory ${home} cannot be made`, {
      remedy: "Give another one with --state-dir.",
      cause,
    });
  }
}

/** The runner of earlier starts, as long as the coordinator knows it; else a new one. The file is for its owner alone. */
async function identityIn(file: string, client: OperatorClient): Promise<z.infer<typeof runnerCreated>> {
  const known = existsSync(file) ? runnerCreated.safeParse(parse(readFileSync(file, "utf8"))) : null;
  if (known?.success) {
    const runners = await client.get("/runners", z.array(runnerDoc));
    if (runners.some((runner) => runner.id === known.data.id)) return known.data;
  }
  const created = await client.make("/runners", runnerCreated, { name: "local" });
  writeFileSync(file, JSON.stringify(created), { mode: 0o600 });
  return created;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
