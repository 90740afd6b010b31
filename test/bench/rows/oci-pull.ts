import { mkdirSync, readdirSync } from "node:fs";
import { goProgram } from "../../bed/go-program.ts";
import { registryMissing, startRegistry } from "../../bed/registry.ts";
import { liveEvents } from "../lib/live-events.ts";
import { startCoordinator, startRunner } from "../lib/plane.ts";
import { makeBed } from "../lib/processes.ts";
import { overFloor, type Row } from "../lib/row.ts";
import { measureSource, runBare, writeSource } from "../lib/source-step.ts";

/** A job whose source is an artifact of a registry, over a bare `oras pull`. */
export const ociPull: Row = {
  name: "oci-pull",
  why: "Every file is a blob of its own, four at a time, each hashed while it is written; the rest is the job itself.",
  async measure({ binary, runs, say }) {
    const oras = goProgram("oras");
    const missing = oras === null ? "oras is not built (test/bed/provision.ts)" : registryMissing();
    if (oras === null || missing !== null) {
      say(`oci-pull is left out: ${missing}`);
      return [];
    }
    const bed = makeBed();
    const registry = await startRegistry();
    try {
      mkdirSync(bed.path("source"));
      writeSource(bed.path("source"));
      const ref = `${registry.host}/bench/source:1`;
      const env = { HOME: bed.root };
      const files = readdirSync(bed.path("source"), { recursive: true })
        .map(String)
        .filter((name) => name.endsWith(".tf"));
      await runBare([oras, "push", "--plain-http", ref, ...files], env, bed.path("source"));
      const coordinator = await startCoordinator(bed, binary);
      await startRunner(bed, coordinator, { binary, name: "oci" });
      const events = await liveEvents(coordinator);
      const { ours, floor } = await measureSource(
        { coordinator, events, folder: bed.root, runs },
        { oci: { ref } },
        (into) => runBare([oras, "pull", "--plain-http", "--no-tty", "--output", into, ref], env, bed.root),
      );
      await events.close();
      return [
        {
          what: "job with an OCI source",
          unit: "ms",
          values: ours,
          floor: { what: "`oras pull` of the same artifact, then the step's command in it", values: floor },
          goals: [overFloor("median ≤ 100 ms over the floor", 100)],
          how: "an action of one step in an artifact of 200 files, one layer each, from a registry on loopback; from sending the POST that submits it until `finished` is read from the live event stream.",
        },
      ];
    } finally {
      await registry.end();
      await bed.end();
    }
  },
};
