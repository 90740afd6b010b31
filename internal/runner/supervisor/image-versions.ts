import type { SystemLog } from "../../kit/base/system-log.ts";
import { imageReference, lastLine } from "../../kit/containers/index.ts";
import { fail, RunnerError } from "../../protocol/errors.ts";
import type { AskEngine } from "./image-engine.ts";
import type { ImageFile } from "./image-file.ts";
import { isImage, repositoryOf, wantedImage } from "./image-name.ts";
import { type ImageStageDeps, inspectImage, stageImage } from "./image-stage.ts";
import type { Versions } from "./versions.ts";

/** Images besides the current and the previous one that still wait for their removal; more are forgotten, not removed. */
const OLDER = 10;

export interface ImageVersionsDeps extends ImageStageDeps {
  readonly file: ImageFile;
  /** The only repository that images are taken from; null: that of the image in use. */
  readonly repository: string | null;
  readonly log: SystemLog;
}

/** Images that the runner's unit starts: pinned by digest, two of them kept. */
export function imageVersions(deps: ImageVersionsDeps): Versions {
  const { file, ask, log } = deps;
  const allowed = () => {
    const from = deps.repository ?? file.read().current;
    return from === null ? null : repositoryOf(imageReference(from));
  };
  const missing = `${file.path} names no image: write RUNNER_IMAGE=REGISTRY/NAME:VERSION into it, and start the service`;
  const drop = async (older: readonly string[]): Promise<string[]> => {
    const { current, previous } = file.read();
    const kept = [current, previous].map((name) => digestOf(name ?? ""));
    const left: string[] = [];
    for (const name of older.filter((one) => !kept.includes(digestOf(one)))) {
      const reason = await removeImage(ask, name);
      if (reason === null) continue;
      left.push(name);
      log.warn("an image that is used no more could not be removed", { image: name, reason });
    }
    return left;
  };
  return {
    kind: "image",
    toolsOutlive: false,
    pointers: () => file.read(),
    is: isImage,
    // A tag may be moved: whoever asks for it by hand gets what it names now.
    settled: (wanted, version) => wanted.includes("sha256:") && isImage(wanted, version),
    async stage(wanted) {
      try {
        const repository = allowed();
        if (repository === null) return fail(new RunnerError("environment", missing));
        const { current, previous, older } = file.read();
        const staged = await stageImage(deps, wantedImage(wanted, repository));
        if (!staged.ok) return staged;
        const { version } = staged.value;
        // Known from here on, so that it goes when it is not used after all.
        if (current !== version && previous !== version && !older.includes(version)) {
          file.write({ current, previous, older: [...older, version].slice(-OLDER) });
        }
        return staged;
      } catch (cause) {
        if (cause instanceof RunnerError) return fail(cause);
        throw cause;
      }
    },
    async has(version) {
      const facts = await inspectImage(ask, version);
      return facts.ok && facts.value !== null;
    },
    async point(to) {
      const now = file.read();
      const used = [to.current, to.previous];
      const older = [...now.older, now.current ?? "", now.previous ?? ""].filter((one) => one && !used.includes(one));
      file.write({ ...to, older: [...new Set(older)].slice(-OLDER) });
    },
    async prune() {
      const use = file.read();
      if (use.older.length === 0) return;
      const older = await drop(use.older);
      if (older.length < use.older.length) file.write({ ...use, older });
    },
    missing,
  };
}

/** Never by force, which would take containers with it; names that others gave it stay. null: it is gone. */
async function removeImage(ask: AskEngine, name: string): Promise<string | null> {
  const facts = await inspectImage(ask, name);
  if (!facts.ok) return facts.error.message;
  if (facts.value === null) return null;
  const { text, host, repository } = imageReference(name);
  const own = facts.value.RepoTags?.filter((tag) => tag.startsWith(`${host}/${repository}:`)) ?? [];
  const end = await ask(["image", "rm", ...own, text]);
  if (!end.ok) return end.error.message;
  const left = await inspectImage(ask, name);
  return left.ok && left.value === null ? null : lastLine(end.value.stderr);
}

const digestOf = (name: string): string => name.split("@")[1] ?? name;
