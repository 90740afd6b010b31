import { z } from "zod";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import { askEngine, type Engine, lastLine } from "./engine.ts";
import type { ImageReference } from "./image-reference.ts";

const inspected = z.object({ Id: z.string(), RepoDigests: z.array(z.string()).nullish() });

const FORMAT = '{"Id":{{json .Id}},"RepoDigests":{{json .RepoDigests}}}';

export interface ImageFacts {
  /** With `sha256:`; names the image whatever its tags become. */
  readonly id: string;
  /** Of its manifest in the registry; null: it never was in one. */
  readonly digest: string | null;
}

/** An image of this machine; null: it is not here. */
export async function imageFacts(engine: Engine, image: ImageReference): Promise<Result<ImageFacts | null>> {
  const asked = await askEngine(engine, ["image", "inspect", "--format", FORMAT, image.text]);
  if (!asked.ok) return asked;
  const { code, stdout, stderr } = asked.value;
  if (code !== 0) {
    if (/no such image|image not known|not found|no such object|failed to find/i.test(stderr)) return ok(null);
    return fail(new RunnerError("environment", `${engine.name}: ${lastLine(stderr)}`));
  }
  try {
    const { Id, RepoDigests } = inspected.parse(JSON.parse(stdout));
    const own = (RepoDigests ?? []).filter((one) => one.split("@")[0]?.endsWith(image.repository));
    const digest = image.digest ?? own[0]?.split("@")[1] ?? null;
    return ok({ id: Id.startsWith("sha256:") ? Id : `sha256:${Id}`, digest });
  } catch {
    return fail(new RunnerError("environment", `${engine.name}: its answer to \`image inspect\` is not understood`));
  }
}
