import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { EXIT, type ExitCode, RunnerError } from "../internal/protocol/errors.ts";
import { newId } from "../internal/protocol/ids.ts";
import { runnerCreated } from "../internal/protocol/operator.ts";
import { checkNamed } from "./lib/check-named.ts";
import { type Outputs, writeOutputs } from "./lib/clear-outputs.ts";
import type { Command, Context } from "./lib/context.ts";
import { type LocalDone, runLocalJob } from "./lib/local-job.ts";
import { startLocalPlane } from "./lib/local-plane.ts";
import { nextChange } from "./lib/next-change.ts";
import { pluginsFor, refuseUnknownPlugin } from "./lib/plugins.ts";
import { writeQuickstart } from "./lib/quickstart.ts";
import { onStop } from "./lib/signals.ts";
import { type JobInput, readJob } from "./lib/submit.ts";
import { runAgainst } from "./run.ts";

const MODES = ["install", "build", "org"] as const;

export const runLocal: Command = async (context) => {
  const mode = MODES.find((name) => name === context.operands[0]);
  if (mode && context.operands.length === 1 && !existsSync(resolve(context.cwd, mode))) {
    return runForDevelopment(context, mode === "build" ? "org" : mode);
  }
  const files = jobFiles(context);
  if (!context.values.watch) return runAll(context, files);
  return watchAndRun(context, files);
};

/** Every file is read before the first one is run: a mistake in the last one must not cost an hour. */
async function runAll(context: Context, files: readonly string[]): Promise<ExitCode> {
  const jobs: JobInput[] = [];
  const plugins = await pluginsFor(context);
  for (const file of files) {
    const job = await readJob(file, context.cwd);
    checkNamed(job, file, context.env);
    refuseUnknownPlugin(job.parsed.file.type, plugins);
    jobs.push(job);
  }
  let worst: ExitCode = EXIT.done;
  let outputs: Outputs = {};
  for (const job of jobs) {
    const done = await runOne(context, job);
    outputs = { ...outputs, ...done.outputs };
    worst = Math.max(worst, done.code) as ExitCode;
    if (done.code === EXIT.cancelled) break;
  }
  if (context.values.outputs) writeOutputs(context.values.outputs, context.values.outputsFormat, outputs);
  return worst;
}

/** Told to stop before the job was handed over. */
const NOTHING: LocalDone = { code: EXIT.cancelled, outputs: {}, abandoned: false };

/** One job through a coordinator and a runner of its own; Terraform state and logs stay in `.runner` beside the file. */
async function runOne(context: Context, job: JobInput) {
  const home = join(job.folder, ".runner");
  const run = newId("instance");
  const stateDir = join(home, "runs", run);
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const interrupted = new AbortController();
  const stop = onStop([() => interrupted.abort()], { hangup: true });
  const plane = await startLocalPlane(context, {
    host: "127.0.0.1",
    port: 0,
    dataDir: join(home, "coordinator"),
    stateDir,
    exclusive: false,
    identity: (client) => client.make("/runners", runnerCreated, { name: run }),
    signal: interrupted.signal,
  });
  try {
    const done = interrupted.signal.aborted ? NOTHING : await runLocalJob(context, plane, job);
    plane.runner.drain("the job is done");
    await plane.runner.ended;
    await plane.client.send("DELETE", `/runners/${plane.runnerId}`);
    if (!done.abandoned) rmSync(stateDir, { recursive: true, force: true });
    return done;
  } catch (error) {
    plane.runner.cancel("run-local ends");
    throw error;
  } finally {
    await plane.stop("run-local ends");
    stop();
  }
}

function jobFiles(context: Context): readonly string[] {
  if (context.operands.length > 0) return context.operands;
  if (existsSync(join(context.cwd, "job.yaml"))) return ["job.yaml"];
  context.say("no job.yaml here: running the quickstart");
  return [writeQuickstart(join(context.cwd, ".runner", "quickstart")).action];
}

/** `run-local MODE`: that mode of the runner against a control plane, with a state directory that is gone afterwards. */
async function runForDevelopment(context: Context, mode: "install" | "org"): Promise<ExitCode> {
  const stateDir = mkdtempSync(join(tmpdir(), "runner-"));
  try {
    return await runAgainst({ ...context, values: { ...context.values, mode } }, stateDir);
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}

/** Runs again and again until a person ends it: the exit code is then that of the last run. */
async function watchAndRun(context: Context, files: readonly string[]): Promise<ExitCode> {
  const folders = [...new Set(files.map((file) => dirname(resolve(context.cwd, file))))];
  const { outputs } = context.values;
  for (;;) {
    const change = nextChange(folders, outputs ? [outputs] : []);
    const code = await runAll(context, files).catch((error: unknown) => {
      // A file that is being edited may be wrong for a while.
      if (!(error instanceof RunnerError) || error.kind !== "usage") throw error;
      context.say(`runner: ${error.message}`);
      if (error.remedy) context.say(`  → ${error.remedy}`);
      return EXIT.usage;
    });
    if (code === EXIT.cancelled || (await endedWhileWaiting(context, change.happened))) {
      change.stop();
      return code;
    }
  }
}

async function endedWhileWaiting(context: Context, change: Promise<void>): Promise<boolean> {
  const ended = Promise.withResolvers<true>();
  const stop = onStop([() => ended.resolve(true)], { hangup: true });
  context.say("waiting for a change (Ctrl-C ends)");
  const over = await Promise.race([change.then(() => false), ended.promise]);
  stop();
  return over;
}
