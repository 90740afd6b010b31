import { rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { ImageReference } from "../../kit/containers/index.ts";
import { authFile, type Engine, explainPull, imageReference, lastLine, pullArgv } from "../../kit/containers/index.ts";
import { isReleaseVersion } from "../../kit/release/manifest.ts";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import { writeDurable } from "./durable-file.ts";
import type { AskEngine } from "./image-engine.ts";
import { pinnedName, repositoryOf } from "./image-name.ts";

const PULL_MS = 15 * 60_000;
const SMOKE_MS = 120_000;

export interface ImageStageDeps {
  readonly engine: () => Engine;
  readonly ask: AskEngine;
  /** Login for a registry by this machine's own identity; null: the engine's own logins are used. */
  readonly login: (host: string) => Promise<{ readonly username: string; readonly password: string } | null>;
  /** A login lies there while a pull runs. */
  readonly stateDir: string;
}

const inspected = z.object({
  Id: z.string(),
  Digest: z.string().optional(),
  RepoTags: z.array(z.string()).nullish(),
  RepoDigests: z.array(z.string()).nullish(),
  Os: z.string(),
  Architecture: z.string(),
});

/** What an engine knows of an image; null: it has not got it. */
export async function inspectImage(ask: AskEngine, name: string): Promise<Result<z.infer<typeof inspected> | null>> {
  const asked = await ask(["image", "inspect", name]);
  if (!asked.ok) return asked;
  if (asked.value.code !== 0) return ok(null);
  try {
    const [first] = z.array(inspected).parse(JSON.parse(asked.value.stdout));
    return ok(first ?? null);
  } catch {
    return fail(new RunnerError("environment", "the engine's answer to `image inspect` is not understood"));
  }
}

/**
 * Pulls an image, finds the digest it is to be known by from now on, and tries it: it must be for this machine, and say
 * which version it is in a container without network and rights. The name it is pinned by.
 */
export async function stageImage(deps: ImageStageDeps, image: ImageReference): Promise<Result<{ version: string }>> {
  const pulled = await pull(deps, image);
  if (!pulled.ok) return pulled;
  const facts = await inspectImage(deps.ask, image.text);
  if (!facts.ok) return facts;
  const repository = repositoryOf(image);
  const digests = (facts.value?.RepoDigests ?? []).filter((one) => one.startsWith(`${repository}@`));
  const known = digests.map((one) => one.split("@")[1] ?? "");
  const own = facts.value?.Digest ?? "";
  const digest = image.digest ?? (known.includes(own) ? own : known[0]);
  if (!facts.value || digest === undefined) {
    return fail(
      new RunnerError("environment", `the image ${image.text} was pulled, but the engine has no digest of it`),
    );
  }
  const version = pinnedName(image, digest);
  if (image.digest === null) {
    // What the registry has by this digest, and no other, is had again after a loss of the engine's store.
    const again = await pull(deps, imageReference(version));
    if (!again.ok) return again;
  }
  const fits = platformFault(version, facts.value);
  if (fits !== null) return fail(fits);
  const tried = await tryImage(deps.ask, version, image.tag);
  return tried.ok ? ok({ version }) : tried;
}

async function pull({ engine, ask, login, stateDir }: ImageStageDeps, image: ImageReference): Promise<Result<void>> {
  const folder = join(stateDir, "registry-login");
  try {
    const own = await login(image.host);
    const env: Record<string, string> = {};
    if (own !== null) {
      writeDurable(join(folder, "config.json"), authFile(image, own).text);
      env[engine().name === "podman" ? "REGISTRY_AUTH_FILE" : "DOCKER_CONFIG"] =
        engine().name === "podman" ? join(folder, "config.json") : folder;
    }
    const [, ...args] = pullArgv(engine(), image);
    const end = await ask(args, { ms: PULL_MS, env });
    if (!end.ok) return end;
    if (end.value.code === 0) return ok(undefined);
    const { message, remedy } = explainPull(engine(), image, end.value.stderr);
    const hint = remedy?.replace(/^Check spec\.credentials.*/, `\`${engine().name} login ${image.host}\` as root.`);
    return fail(new RunnerError("environment", message, hint === undefined ? {} : { remedy: hint }));
  } catch (cause) {
    if (cause instanceof RunnerError) return fail(cause);
    throw cause;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function platformFault(name: string, { Os, Architecture }: z.infer<typeof inspected>): RunnerError | null {
  const own = process.arch === "x64" ? "amd64" : process.arch;
  if (Os === "linux" && Architecture === own) return null;
  return new RunnerError(
    "environment",
    `the image ${name} is for ${Os}/${Architecture}, this machine is linux/${own}`,
    {
      remedy: "Nothing was changed. Publish the image for this platform too.",
    },
  );
}

/** A tag that is a version must be the one that the program in it says it is. */
async function tryImage(ask: AskEngine, name: string, tag: string | null): Promise<Result<void>> {
  const refuse = (why: string) =>
    fail(
      new RunnerError("environment", `the image ${name} does not work here: ${why}`, {
        remedy: "Nothing was changed. Check that it is an image of runner.",
      }),
    );
  const shut = ["--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--pull=never"];
  const end = await ask(["run", "--rm", ...shut, name, "version"], { ms: SMOKE_MS });
  if (!end.ok) return end;
  const { code, stdout, stderr } = end.value;
  if (code !== 0) return refuse(`\`version\` ended with ${code}: ${lastLine(stderr)}`);
  const said = stdout.trim();
  if (!isReleaseVersion(said)) return refuse(`it says that it is ${JSON.stringify(said.slice(0, 100))}`);
  const named = /^v?(\d+\.\d+\.\d+.*)$/.exec(tag ?? "")?.[1];
  return named === undefined || isNameOf(said, named) ? ok(undefined) : refuse(`it says that it is ${said}`);
}

/** `1.2.0`, and `1.2.0-tools` too: what a tag says beside the version is its maker's business. */
function isNameOf(version: string, tag: string): boolean {
  const plain = version.split("+")[0] ?? version;
  return tag === plain || tag.startsWith(`${plain}-`) || tag.startsWith(`${plain}_`);
}
