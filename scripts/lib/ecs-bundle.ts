import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BUN, ROOT } from "./spawn.ts";

/** What a customer gets, and the program that it comes from. */
export const ECS_BUNDLE = "bundle/terraform-ecs/main.tf.json";
const APP = `${ROOT}bundle/terraform-ecs/cdktf`;

/**
 * The app in a folder of its own with its packages, among them the bindings of the AWS provider (0.5 GB on disk): made
 * once per lock file, outside the checkout.
 */
export function ecsApp(cache: string): string {
  const name = Bun.hash(readFileSync(`${APP}/bun.lock`)).toString(16);
  const folder = join(cache, `ecs-bundle-${name}`);
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(APP)) {
    if (file !== "node_modules") cpSync(join(APP, file), join(folder, file));
  }
  if (!existsSync(join(folder, ".installed"))) {
    must(folder, [BUN, "install", "--frozen-lockfile", "--silent"], "the packages of the ECS bundle");
    Bun.write(join(folder, ".installed"), "");
  }
  return folder;
}

/** The bundle as Terraform reads it. Throws with what the app said when it fails. */
export function synthesised(app: string): string {
  const out = mkdtempSync(join(tmpdir(), "ecs-bundle-"));
  try {
    must(app, [BUN, "main.ts", out], "the ECS bundle");
    const made: unknown = JSON.parse(readFileSync(join(out, "stacks/runner/cdk.tf.json"), "utf8"));
    return `${JSON.stringify(withoutNotes(made), null, 2)}\n`;
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** Without the library's notes to itself, and without a backend: where the state lies is the customer's choice. */
function withoutNotes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNotes);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => key !== "//" && key !== "backend");
  return Object.fromEntries(kept.map(([key, one]) => [key, withoutNotes(one)]));
}

function must(cwd: string, argv: string[], what: string): void {
  const done = Bun.spawnSync(argv, { cwd, stderr: "pipe", stdout: "pipe" });
  if (!done.success) throw new Error(`${what}: ${done.stderr.toString().trim()}`);
}
