import { z } from "zod";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import { askEngine, type Engine, lastLine } from "./engine.ts";
import type { ImageReference } from "./image-reference.ts";

const repoDigests = z.array(z.string()).nullable();

/** All of it is more than is kept of an answer. */
const FORMAT = "{{.Id}} {{json .RepoDigests}}";

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
    const [id = "", ...rest] = stdout.trim().split(" ");
    const own = (repoDigests.parse(JSON.parse(rest.join(" "))) ?? []).filter((one) =>
      one.split("@")[0]?.endsWith(image.repository),
    );
    const digest = image.digest ?? own[0]?.split("@")[1] ?? null;
    return ok({ id: id.startsWith("sha256:") ? id : `sha256:${id}`, digest });
  } catch {
    return fail(new RunnerError("environment", `${engine.name}: its answer to \`image inspect\` is not understood`));
  }
}
