import { RunnerError } from "../../internal/protocol/errors.ts";
import { filesOf } from "./release-folder.ts";

export const RELEASE_TYPE = "application/vnd.runner.release.v1";

export interface PushOptions {
  readonly folder: string;
  /** `registry.example.com/runner:0.2.0`. */
  readonly reference: string;
  readonly plainHttp: boolean;
  /** The oras program. */
  readonly oras: string;
  /** Time of the release, RFC 3339: the same release has the same digest. */
  readonly made: string;
}

/** Pushes the folder as one OCI artifact, a layer a file under its path; `oras pull REF` brings the same bytes back. */
export async function pushRelease(options: PushOptions): Promise<void> {
  const { folder, reference, plainHttp, oras, made } = options;
  const files = filesOf(folder).sort();
  const child = Bun.spawn(
    [
      oras,
      "push",
      ...(plainHttp ? ["--plain-http"] : []),
      `--artifact-type=${RELEASE_TYPE}`,
      `--annotation=org.opencontainers.image.created=${made}`,
      reference,
      // A name of its own type, else oras would take what stands behind a colon for it.
      ...files.map((file) => `${file}:application/octet-stream`),
    ],
    { cwd: folder, stdio: ["ignore", 2, 2] },
  );
  if ((await child.exited) === 0) return;
  throw new RunnerError("job", `oras could not push to ${reference}; the reason stands above`, {
    remedy: "The folder is whole: push it again once the reason is gone.",
  });
}

/** Throws RunnerError usage when there is no oras. */
export function findOras(): string {
  const named = process.env.ORAS ?? "oras";
  const found = Bun.which(named);
  if (found !== null) return found;
  throw new RunnerError("usage", `--push needs oras, and there is no ${named}`, {
    remedy: "Put oras on the PATH, or name it with ORAS=/path/to/oras.",
  });
}
