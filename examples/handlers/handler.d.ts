// Generated from internal/runner/plugins/plugin-api.ts by npm run generate.
import type { z } from "zod";

/**
 * What a plug-in handler is and gets. `npm run generate` publishes this file as examples/handlers/handler.d.ts; nothing of
 * it is there at run time.
 *
 *   import type { Plugin } from "./handler.d.ts";
 *   export const handler: Plugin<{ name: string }> = ({ z }) => ({ types: ["x-greet"], … });
 */
export type Plugin<Plan> = (api: PluginApi) => PluginHandler<Plan>;

export interface PluginApi {
  /** zod 4, for the schema of the plan. */
  readonly z: typeof z;
}

/**
 * The steps of a job, in this order; those that are left out are no steps. After a crash of the runner the interrupted
 * step runs again from its start, while `ctx.exec` runs each key once: so a step keeps nothing in memory for a later one,
 * it writes it into the workspace.
 */
export interface PluginHandler<Plan> {
  /** Each `x-NAME`, in lower case letters, digits and single dashes; no two plug-ins may have the same. */
  readonly types: readonly `x-${string}`[];
  /** One line, for `runner explain`. */
  readonly summary?: string;
  /** What `spec` of the job file must be. */
  readonly plan: z.ZodType<Plan>;
  /** Names of outputs that are never shown in clear. */
  readonly sensitive?: readonly string[];
  /** How a program of `exec` is stopped. Default: SIGTERM, 10 s later SIGKILL, to its process group. */
  readonly cancel?: { readonly first: "SIGINT" | "SIGTERM"; readonly grace_ms: number; readonly last?: "SIGTERM" };
  fetch?(ctx: PluginContext<Plan>): Promise<void>;
  validate?(ctx: PluginContext<Plan>): Promise<void>;
  initialize?(ctx: PluginContext<Plan>): Promise<void>;
  execute(ctx: PluginContext<Plan>): Promise<void>;
  /** What it answers are the job's outputs. Called only after execute succeeded. */
  outputs?(ctx: PluginContext<Plan>): Promise<Record<string, unknown>>;
  /** Runs whatever happened, once every program of the job has ended. Never changes the outcome. */
  cleanup?(ctx: PluginContext<Plan>): Promise<void>;
}

export interface PluginContext<Plan> {
  readonly job: { readonly id: string; readonly type: string };
  /** `epoch` grows when a lost job is given out anew. */
  readonly execution: { readonly id: string; readonly epoch: number };
  /** `spec` of the job file, checked. */
  readonly plan: Plan;
  /** Folder of this execution alone, removed when it ends. */
  readonly workspace: { readonly root: string; path(...parts: string[]): string };
  /** Aborted when the job is cancelled, times out or is lost. */
  readonly signal: AbortSignal;
  readonly log: PluginLog;
  /** A named step of the work, with a status and the exit code of its last program. */
  step<T>(step: { readonly name: string }, work: () => Promise<T>): Promise<T>;
  /** Runs a program to its end; its output is the job's log. Throws when its exit code is not expected. */
  exec(program: PluginProgram): Promise<PluginEnd>;
  readonly tools: {
    /** Path of a tool in exactly this version; null: any. Found on PATH, or fetched with a checked sum. */
    find(name: PluginTool, version: string | null): Promise<string>;
    /** Environment for `exec`: PATH, HOME, proxies and such, and what is given here. Nothing else of the runner's. */
    env(extra: Readonly<Record<string, string>>): Record<string, string>;
  };
  readonly sources: {
    /** Checks a repository out into a folder of the workspace. Answers the commit. */
    git(
      source: { readonly url: string; readonly ref: string; readonly path: string; readonly submodules: boolean },
      into: string,
    ): Promise<string>;
  };
  /** What is given here is `[redacted]` wherever the job is shown. */
  readonly secrets: { register(...values: readonly string[]): void };
}

export type PluginTool = "terraform" | "tofu" | "git" | "helm" | "kubectl" | "oras" | "podman" | "docker";

export interface PluginLog {
  debug(text: string, fields?: PluginFields): void;
  info(text: string, fields?: PluginFields): void;
  warn(text: string, fields?: PluginFields): void;
  error(text: string, fields?: PluginFields): void;
}
export type PluginFields = Readonly<Record<string, string | number | boolean>>;

export interface PluginProgram {
  /** Differs from the other programs of the job, and is the same after a restart. */
  readonly key: string;
  /** Program (absolute, or found on the PATH of `env`) and arguments. Never a secret. */
  readonly argv: readonly [string, ...string[]];
  /** Complete environment; begin with `ctx.tools.env({…})`. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** File to read stdin from. */
  readonly stdin?: string;
  /** stdout into this file instead of the log. */
  readonly capture?: string;
  /** Exit codes that are no failure; default [0]. */
  readonly expect?: readonly number[];
}

export interface PluginEnd {
  /** 128 + n when a signal ended it; null when it was lost with the machine. */
  readonly code: number | null;
  readonly duration_ms: number;
  /** The last 4 KiB of its output, redacted. */
  readonly tail: string;
}
