import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { artifactFor, detectPlatform, findRelease, type ReleaseKey, takeFile } from "../../kit/release/index.ts";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import { isVersion } from "../../protocol/runner-wishes.ts";
import { type Layout, makeVersionFolder } from "./layout.ts";

/** Fetches, verifies, puts beside and tries a version; nothing that runs is touched. Again with the same: no change. */
export type Stage = (wanted: string) => Promise<Result<{ readonly version: string }>>;

export interface StageOptions {
  readonly layout: Layout;
  /** A release folder or a folder of them. */
  readonly base: string;
  readonly key: ReleaseKey;
  readonly ca: string | null;
  readonly smoke?: typeof smokeTest;
  readonly signal?: AbortSignal;
}

export function stageFrom({ layout, base, key, ca, smoke = smokeTest, signal }: StageOptions): Stage {
  const query = { base, key, ca, ...(signal ? { signal } : {}) };
  return async (wanted) => {
    const found = await findWanted(query, wanted);
    if (!found.ok) return found;
    const { version } = found.value;
    if (layout.pointers().current === version) return ok({ version });
    const artifact = artifactFor(found.value, detectPlatform());
    if (!artifact.ok) return artifact;
    const place = layout.binary(version);
    try {
      makeVersionFolder(layout, version);
    } catch (cause) {
      return fail(notWritable(layout.root, cause));
    }
    const taken = await takeFile(found.value, artifact.value.file, { into: place, mode: 0o755 });
    if (!taken.ok) return taken;
    const tried = await smoke(place, version);
    if (tried.ok) return ok({ version });
    if (layout.pointers().previous !== version) rmSync(dirname(place), { recursive: true, force: true });
    return tried;
  };
}

/** A version that lies here already was verified when it came. */
export async function stageInstalled(layout: Layout, version: string): ReturnType<Stage> {
  const tried = await smokeTest(layout.binary(version), version);
  return tried.ok ? ok({ version }) : tried;
}

/** By the settings' spelling (`v1.2.3`, a version without its commit): never another version. */
async function findWanted(query: Omit<Parameters<typeof findRelease>[0], "version">, wanted: string) {
  const plain = wanted.replace(/^v(?=\d)/, "");
  const exact = await findRelease({ ...query, version: plain });
  if (exact.ok || exact.error.kind !== "usage") return exact;
  const own = await findRelease({ ...query, version: null });
  return own.ok && isVersion(wanted, own.value.version) ? own : exact;
}

const SMOKE_MS = 30_000;

/** Whether the program runs here and is the version it claims to be. */
export async function smokeTest(program: string, version: string): Promise<Result<void>> {
  const refuse = (why: string) =>
    fail(
      new RunnerError("environment", `the program of version ${version} does not work here: ${why}`, {
        remedy: "Nothing was changed. Check that the release is for this machine.",
      }),
    );
  try {
    const child = Bun.spawn([program, "version"], {
      cwd: dirname(program),
      env: { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/nonexistent" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: SMOKE_MS,
      killSignal: "SIGKILL",
    });
    const [said, wrong] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    const code = await child.exited;
    if (code !== 0) return refuse(`\`runner version\` ended with ${code}: ${wrong.trim().split("\n")[0] ?? ""}`);
    return said.trim() === version ? ok(undefined) : refuse(`it says that it is ${said.trim().slice(0, 100)}`);
  } catch (cause) {
    return refuse(cause instanceof Error ? cause.message : String(cause));
  }
}

function notWritable(root: string, cause: unknown): RunnerError {
  return new RunnerError(
    "environment",
    `${root} cannot be written: ${cause instanceof Error ? cause.message : cause}`,
    {
      remedy: "Versions are put there by mng, which runs as root, or by install.sh.",
      cause,
    },
  );
}
