import { z } from "zod";
import { systemClock } from "../../../kit/base/clock.ts";
import type { Readiness } from "../../../kit/manifest/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { together } from "../kube/together.ts";
import { explainedReadiness } from "../kube/trouble.ts";
import { type Cluster, groupOf, keyOf, type Located, labelOf } from "./cluster.ts";
import { createDeadline } from "./deadline.ts";
import type { Note } from "./planning.ts";
import { refusal } from "./refusal.ts";
import { readLive } from "./requests.ts";

interface Look {
  readonly object: Located;
  readonly readiness: Readiness;
}

/**
 * A program without a readiness probe counts as ready from its start until the node notices its end, up to a second
 * later: it must still be ready after this.
 */
const SETTLED_MS = 1_200;

/**
 * Waits until all objects are ready, with a line whenever what is missing changes. What was not ready at the first look
 * is watched to the end: all of it must be ready together. Throws RunnerError: one has failed, or the time is over; both
 * say why, from the pods and events of the object.
 */
export async function waitReady(
  cluster: Cluster,
  note: Note,
  objects: readonly Located[],
  waitMs: number | null,
): Promise<void> {
  const deadline = createDeadline(cluster.signal, waitMs);
  const tell = teller(note);
  const watched = (await lookAll(cluster, tell, objects)).map(({ object }) => object);
  if (watched.length === 0) return;
  for (;;) {
    let open = await lookAll(cluster, tell, watched);
    if (open.length === 0) {
      const unproven = watched.filter(isUnproven);
      if (unproven.length > 0) await systemClock.sleep(SETTLED_MS, cluster.signal);
      open = await lookAll(cluster, tell, unproven);
    }
    if (open.length === 0) return;
    if (await deadline.pause()) continue;
    const shown = open.slice(0, 5).map(({ object, readiness }) => `${labelOf(object)} (${readiness.why})`);
    const more = open.length > shown.length ? ` and ${open.length - shown.length} more` : "";
    throw new RunnerError("job", `not ready after ${deadline.text}: ${shown.join(", ")}${more}`, { remedy: APPLIED });
  }
}

const workload = z.looseObject({
  spec: z.looseObject({
    minReadySeconds: z.number().nullish(),
    template: z.looseObject({
      spec: z.looseObject({
        containers: z.array(
          z.looseObject({ readinessProbe: z.unknown().optional(), startupProbe: z.unknown().optional() }),
        ),
      }),
    }),
  }),
});

/** A workload with a container that nothing but its start shows to be ready. */
function isUnproven({ apiVersion, body }: Located): boolean {
  const parsed = groupOf(apiVersion) === "apps" ? workload.safeParse(body) : null;
  if (parsed?.success !== true || parsed.data.spec.minReadySeconds) return false;
  return parsed.data.spec.template.spec.containers.some((one) => !one.readinessProbe && !one.startupProbe);
}

/** Those that are not ready. Throws RunnerError when one has failed. */
async function lookAll(
  cluster: Cluster,
  tell: (looks: readonly Look[]) => void,
  objects: readonly Located[],
): Promise<readonly Look[]> {
  const looks = await together(objects, (object) => look(cluster, object));
  tell(looks);
  const failed = looks.find(({ readiness }) => readiness.state === "failed");
  if (failed === undefined) return looks.filter(({ readiness }) => readiness.state === "waiting");
  throw new RunnerError("job", `${labelOf(failed.object)} has failed: ${failed.readiness.why}`, { remedy: APPLIED });
}

/** A line for each change; what is ready at the first look needs none. */
function teller({ log }: Note): (looks: readonly Look[]) => void {
  const said = new Map<string, string>();
  return (looks) => {
    for (const { object, readiness } of looks) {
      const before = said.get(keyOf(object));
      const text = readiness.state === "ready" ? "ready" : readiness.why;
      said.set(keyOf(object), text);
      if (before !== text && !(before === undefined && text === "ready")) log.info(`${labelOf(object)}: ${text}`);
    }
  };
}

const APPLIED =
  "The objects are applied. Mend what is named and apply again; wait_timeout gives more time, wait: false does not wait.";

async function look(cluster: Cluster, object: Located): Promise<Look> {
  const live = await readLive(cluster, object);
  if (!live.ok) throw refusal(object, live.error);
  if (live.value === null) {
    throw new RunnerError("job", `${labelOf(object)} was removed by somebody else while it was waited for`);
  }
  return { object, readiness: await explainedReadiness(cluster, live.value) };
}
