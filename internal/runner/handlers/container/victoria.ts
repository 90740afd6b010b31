import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Mount, Profile } from "../../../kit/containers/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import type { VictoriaTask } from "../../../protocol/plans-ours.ts";
import { type Context, places } from "./container-job.ts";

/** Where Victoria's image expects its home. */
const HOME = "/workspace/Victoria";
const filesFolder = ({ task_id }: VictoriaTask) => `${HOME}/tasks/${task_id.slice(0, 8)}/files`;

/** Arguments of the image's entry point. */
export const victoriaCommand = ({ prompt }: VictoriaTask) => ["--accept-license", "--task", prompt];

/** Its environment; both words that the generations of Victoria have for a task. */
export function victoriaEnvironment(task: VictoriaTask): Record<string, string> {
  const { task_id, orchestrator_url: url, files } = task;
  return {
    ...(url ? { ORCHESTRATOR_URL: url.replace(/\/+$/, "") } : {}),
    JOB_ID: task_id,
    TASK_ID: task_id,
    ...(files?.length ? { TASK_FILES_DIR: filesFolder(task) } : {}),
  };
}

/** The home of the profile, and this task's files in it. Throws RunnerError policy without such a profile. */
export function victoriaMounts(ctx: Context, task: VictoriaTask, profile: Profile): Mount[] {
  const { victoria_home: home } = profile;
  if (home === undefined) {
    throw new RunnerError("policy", "a victoria task needs a container profile with a victoria_home", {
      remedy: "The runner's operator adds one to the file of --container-profiles; the job names it as `profile`.",
    });
  }
  const mounts: Mount[] = [{ from: home, to: HOME, writable: true, own: false }];
  if (task.files?.length) {
    mounts.push({ from: places(ctx).taskFiles, to: filesFolder(task), writable: false, own: true });
  }
  return mounts;
}

/** Writes the task's files after their checksums. Throws RunnerError job that names the file. */
export function writeTaskFiles(ctx: Context, task: VictoriaTask): void {
  const folder = places(ctx).taskFiles;
  const names = new Set<string>();
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const { name: given, content_base64, sha256 } of task.files ?? []) {
    const name = basename(given);
    const wrong = (why: string) => new RunnerError("job", `the task's file ${JSON.stringify(given)} ${why}`);
    if (name === "" || name === "." || name === ".." || name.includes("\0")) throw wrong("has no name");
    if (names.has(name)) throw wrong("is there twice");
    names.add(name);
    const bytes = Buffer.from(content_base64, "base64");
    const sum = createHash("sha256").update(bytes).digest("hex");
    if (sum !== sha256.toLowerCase()) throw wrong(`is not what its checksum says (${sum.slice(0, 12)}…)`);
    writeFileSync(join(folder, name), bytes);
    chmodSync(join(folder, name), 0o644);
  }
}
