import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { z } from "zod";
import {
  allowsImage,
  type Engine,
  type ImageFacts,
  type ImageReference,
  imageReference,
  type Profile,
} from "../../../kit/containers/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import type { ContainerPlan } from "../../../protocol/plans-ours.ts";
import type { JobContext } from "../../handler.ts";

export type Context = JobContext<ContainerPlan>;
export const WHO = "the container";

/** Places in the workspace. */
export const places = (ctx: Context) => ({
  source: ctx.workspace.path("source"),
  files: ctx.workspace.path("files"),
  taskFiles: ctx.workspace.path("task-files"),
  outputs: ctx.workspace.path("outputs"),
  envFile: ctx.workspace.path("env"),
  logins: ctx.workspace.path("logins"),
  image: ctx.workspace.path("image.json"),
  /** There once a container may have been made. */
  begun: ctx.workspace.path("begun"),
  errors: ctx.workspace.path("stderr"),
});

/** Unique on the machine, and the same after a restart of the runner. */
export const containerName = ({ execution }: Context) => `runner-${execution.id}-${execution.epoch}`;

/** The machine's limits for a job that names none, and the most that a job may ask of processes without a profile. */
const DEFAULT_MEMORY_BYTES = 2 * 2 ** 30;
const DEFAULT_CPUS = 2;
const DEFAULT_PIDS = 512;

export function limitsOf(ctx: Context, profile: Profile) {
  const { resources } = ctx.options;
  const most = profile.pids ?? DEFAULT_PIDS;
  return {
    cpus: resources?.cpu ?? Math.min(DEFAULT_CPUS, cpus().length),
    memoryBytes: resources?.memory_bytes ?? DEFAULT_MEMORY_BYTES,
    pids: Math.min(ctx.plan.pids ?? resources?.pids ?? most, most),
  };
}

/** What a job without a profile gets. */
const STRICT: Profile = {
  network: "none",
  capabilities: [],
  writable_root: false,
  new_privileges: false,
  mounts: [],
  devices: [],
  hosts: {},
};

/** Throws RunnerError policy for a profile that is not there or not for this image. */
export function profileOf(ctx: Context): Profile {
  const { profile: name } = ctx.plan;
  if (!name) return STRICT;
  const profile = ctx.containers.profile(name);
  const { text } = imageOf(ctx);
  if (allowsImage(profile, text)) return profile;
  throw new RunnerError("policy", `the container profile ${name} is not for the image ${text}`, {
    remedy: `The runner's operator lists the images of a profile under \`images\`: ${profile.images?.join(", ")}.`,
  });
}

export const imageOf = ({ plan }: Context): ImageReference => imageReference(plan.image);

/** User of the container; null: the image's own. */
export function userOf(engine: Engine, profile: Profile): string | null {
  if (profile.user !== undefined) return profile.user === "image" ? null : profile.user;
  if (!engine.rootless) return "65534:65534";
  return `${process.getuid?.() ?? 65534}:${process.getgid?.() ?? 65534}`;
}

const facts = z.object({ id: z.string(), digest: z.string().nullable() });

/** The image that fetch found; it does not change when a tag moves meanwhile. */
export function chosenImage(ctx: Context): ImageFacts {
  const { image } = places(ctx);
  if (existsSync(image)) return facts.parse(JSON.parse(readFileSync(image, "utf8")));
  throw new RunnerError("job", "the image of this container is not known any more after a restart");
}

/** Throws RunnerError (job); what a job file cannot say wrong, an exact plan can. */
export function checkPlan(ctx: Context): void {
  const { plan } = ctx;
  const wrong = (what: string, remedy?: string) =>
    new RunnerError("job", `this container cannot be made: ${what}`, remedy === undefined ? {} : { remedy });
  imageOf(ctx);
  for (const text of [...(plan.entrypoint ?? []), ...(plan.command ?? [])]) {
    if (text.includes("\0")) throw wrong("an argument has a NUL byte");
  }
  if (plan.workdir && !insidePath(plan.workdir)) throw wrong(`the folder ${plan.workdir} is not an absolute path`);
  for (const path of Object.keys(plan.files ?? {})) {
    if (!insidePath(path) || path === "/") throw wrong(`${JSON.stringify(path)} is no place for a file`, FILES);
  }
  if (plan.victoria && plan.command?.length) throw wrong("a victoria task makes its own command");
  const granted = ctx.options.gpus?.length ?? 0;
  if ((plan.gpus ?? 0) > granted) {
    throw wrong(`it needs ${plan.gpus} GPUs and its lease grants ${granted}`, "The control plane grants GPUs by UUID.");
  }
}

const FILES = "Write an absolute path inside the container, without .. and colon.";

/** Absolute, without a way up, and without the colon that ends a path for engines. */
function insidePath(path: string): boolean {
  return path.startsWith("/") && !/[:\0\n]/.test(path) && !path.split("/").includes("..");
}
