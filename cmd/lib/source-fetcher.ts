import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { checkout } from "../../internal/kit/git/index.ts";
import { artifactSource, pullArtifact } from "../../internal/kit/oci/index.ts";
import type { SourceFetcher } from "../../internal/runner/handler.ts";

/** What fetching needs of this machine. */
export interface FetchFrom {
  /** Environment of git: PATH, proxies, CA variables. */
  readonly env: (extra: Readonly<Record<string, string>>) => Record<string, string>;
  /** PEM of a private CA. */
  readonly ca: string | undefined;
}

/** Fetches packed folders and git sources for one execution; `signal` stops both. */
export function sourceFetcher(from: FetchFrom): (signal: AbortSignal, note: (text: string) => void) => SourceFetcher {
  return (signal, note) => ({
    async oci(source, into) {
      mkdirSync(into, { recursive: true, mode: 0o700 });
      const pulled = await pullArtifact(artifactSource(source.registry, source.tag), into, { ca: from.ca, signal });
      note(
        `fetched the source: ${pulled.files === 1 ? "1 file" : `${pulled.files} files`}, ${pulled.bytes} bytes, ${pulled.digest}`,
      );
    },
    async git(source, into) {
      // Nothing of the runner's own home: what a job may use travels in its plan.
      const env = from.env({ HOME: dirname(into), TMPDIR: dirname(into) });
      const done = await checkout({ ...source, into, env, signal });
      if (done) note(`checked out ${done.commit}`);
      return done?.commit ?? "";
    },
  });
}
