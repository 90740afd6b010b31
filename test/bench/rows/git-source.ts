import { mkdirSync, writeFileSync } from "node:fs";
import { selfSigned } from "../../conformance/go-runner/lib/certificate.ts";
import { startGitServer } from "../../lib/git-server.ts";
import { liveEvents } from "../lib/live-events.ts";
import { startCoordinator, startRunner } from "../lib/plane.ts";
import { makeBed } from "../lib/processes.ts";
import { overFloor, type Row } from "../lib/row.ts";
import { measureSource, runBare, writeSource } from "../lib/source-step.ts";

const COMMITS = 20;

/** A job with a git source whose commit the cache has, over a bare clone. */
export const gitSource: Row = {
  name: "git-source",
  why: "The remote is asked once with the job's own login (git starts two processes for it), then git writes the files from the cache; the rest is the job itself.",
  async measure({ binary, runs }) {
    const bed = makeBed();
    mkdirSync(bed.path("repo"));
    const identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.test"];
    const git = (...args: string[]) => runBare(["git", ...identity, ...args], { HOME: bed.root }, bed.path("repo"));
    const { cert, key } = selfSigned();
    const [certFile, keyFile] = [bed.path("tls.crt"), bed.path("tls.key")];
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key, { mode: 0o600 });
    const server = startGitServer({ root: bed.root, tls: { cert: certFile, key: keyFile } });
    try {
      writeSource(bed.path("repo"));
      await git("init", "-q", "-b", "main");
      for (let n = 0; n < COMMITS; n++) {
        writeFileSync(bed.path("repo", "part-0", "changes.tf"), `# ${n}\n`);
        await git("add", "-A");
        await git("commit", "-q", "-m", `change ${n}`);
      }
      const coordinator = await startCoordinator(bed, binary);
      await startRunner(bed, coordinator, { binary, name: "git", env: { SSL_CERT_FILE: certFile } });
      const events = await liveEvents(coordinator);
      const url = `${server.url}/repo.git`;
      const env = { HOME: bed.root, GIT_SSL_CAINFO: certFile };
      const { ours, floor } = await measureSource(
        { coordinator, events, folder: bed.root, runs },
        { git: { url, ref: "main" } },
        (into) => runBare(["git", "clone", "--quiet", url, into], env, bed.root),
      );
      await events.close();
      return [
        {
          what: "job with a git source, cached",
          unit: "ms",
          values: ours,
          floor: {
            what: "`git clone` of the same repository over HTTPS, then the step's command in it",
            values: floor,
          },
          goals: [overFloor("median ≤ 100 ms over the floor", 100)],
          how: `an action of one step in a repository of 200 files and ${COMMITS} commits, served by git over HTTPS on loopback; from sending the POST that submits it until \`finished\` is read from the live event stream.`,
        },
      ];
    } finally {
      await server.stop();
      await bed.end();
    }
  },
};
