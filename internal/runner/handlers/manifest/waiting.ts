import type { KubeObject } from "../../../kit/kube/index.ts";
import { type Readiness, readinessOf } from "../../../kit/manifest/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { type Cluster, keyOf, type Located, labelOf, together } from "./cluster.ts";
import { createDeadline } from "./deadline.ts";
import type { Note } from "./planning.ts";
import { refusal } from "./refusal.ts";
import { readLive } from "./requests.ts";
import { troubleOf, waitsForConsumer } from "./trouble.ts";

interface Look {
  readonly object: Located;
  readonly readiness: Readiness;
}

/**
 * Waits until all objects are ready, with a line whenever what is missing changes. Throws RunnerError: one has failed,
 * or the time is over; both say why, from the pods and events of the object.
 */
export async function waitReady(
  cluster: Cluster,
  { log }: Note,
  objects: readonly Located[],
  waitMs: number | null,
): Promise<void> {
  const deadline = createDeadline(cluster.signal, waitMs);
  const said = new Map<string, string>();
  for (let left = objects; ; ) {
    const looks = await together(left, (object) => look(cluster, object));
    for (const { object, readiness } of looks) {
      const text = readiness.state === "ready" ? "ready" : readiness.why;
      // What was ready at the first look needs no line.
      const first = !said.has(keyOf(object));
      if (said.get(keyOf(object)) !== text && !(first && text === "ready")) log.info(`${labelOf(object)}: ${text}`);
      said.set(keyOf(object), text);
    }
    const failed = looks.find(({ readiness }) => readiness.state === "failed");
    if (failed) {
      throw new RunnerError("job", `${labelOf(failed.object)} has failed: ${failed.readiness.why}`, {
        remedy: APPLIED,
      });
    }
    const open = looks.filter(({ readiness }) => readiness.state === "waiting");
    if (open.length === 0) return;
    left = open.map(({ object }) => object);
    if (await deadline.pause()) continue;
    const shown = open.slice(0, 5).map(({ object, readiness }) => `${labelOf(object)} (${readiness.why})`);
    const more = open.length > shown.length ? ` and ${open.length - shown.length} more` : "";
    throw new RunnerError("job", `not ready after ${deadline.text}: ${shown.join(", ")}${more}`, { remedy: APPLIED });
  }
}

const APPLIED =
  "The objects are applied. Mend what is named and apply again; wait_timeout gives more time, wait: false does not wait.";

async function look(cluster: Cluster, object: Located): Promise<Look> {
  const live = await readLive(cluster, object);
  if (!live.ok) throw refusal(object, live.error);
  if (live.value === null) {
    throw new RunnerError("job", `${labelOf(object)} was removed by somebody else while it was waited for`);
  }
  return { object, readiness: await explained(cluster, object, live.value) };
}

/** "0 of 2 available" and why. */
async function explained(cluster: Cluster, object: Located, live: KubeObject): Promise<Readiness> {
  const readiness = readinessOf(live);
  if (readiness.state === "ready") return readiness;
  if (object.kind === "PersistentVolumeClaim" && (await waitsForConsumer(cluster, object, live))) {
    return { state: "ready", why: "" };
  }
  const trouble = await troubleOf(cluster, object, live);
  return trouble === "" ? readiness : { ...readiness, why: `${readiness.why}: ${trouble}` };
}
