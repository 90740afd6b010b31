import { KubeError } from "../../../kit/kube/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import type { JobContext } from "../../handler.ts";
import type { HelmWork } from "./helm-work.ts";
import type { ReleaseRecord, ReleaseRecords } from "./release-records.ts";

/** Label on revisions that this runner makes: which execution, and (Unix seconds) when it will be over whatever happens. */
const EXECUTION_LABEL = "runner-execution";
const DEADLINE_LABEL = "runner-deadline";

/** After this time nobody works on a revision that says nothing about itself, in milliseconds. */
const FORGOTTEN_MS = 60 * 60_000;
/** Clocks of machines differ, and stopping takes its time: added to a deadline, in milliseconds. */
const GRACE_MS = 2 * 60_000;

export const ownLabels = (executionId: string, deadlineMs: number): string =>
  `${EXECUTION_LABEL}=${executionId},${DEADLINE_LABEL}=${Math.ceil(deadlineMs / 1_000)}`;

/** A revision that this very execution made. */
export const isOwn = ({ labels }: ReleaseRecord, { execution }: JobContext<unknown>): boolean =>
  labels[EXECUTION_LABEL] === execution.id;

export const isPending = ({ status }: ReleaseRecord): boolean => /^pending-|^uninstalling$/.test(status);

/**
 * A helm that died leaves its revision pending, and every later one refuses to work. The rule, by the newest revision:
 * it is over when this very execution made it (its tools have ended), when the deadline in its label has passed, when it
 * has no label and is an hour old, or when the job says so. Then it is marked as failed, which is what helm does with a
 * revision that it could not finish: objects stay as they are, and the next upgrade goes on from the last deployed one.
 * Throws RunnerError (conflict) while somebody may still be at work.
 */
export async function recoverPending(
  ctx: JobContext<unknown>,
  work: HelmWork,
  records: ReleaseRecords,
  now: number,
): Promise<readonly ReleaseRecord[]> {
  const all = await records.list();
  const last = all.at(-1);
  if (last === undefined || !isPending(last) || last.status === "uninstalling") return all;
  const over = isOwn(last, ctx) ? "its helm has ended" : whyOver(last, work.options.recoverPending, now);
  if (over === null) throw stillPending(work.release, last);
  try {
    await records.markFailed(last, `marked as failed by the runner: ${over}`);
  } catch (error) {
    if (error instanceof KubeError && error.status === 409) throw stillPending(work.release, last);
    throw error;
  }
  ctx.log.warn(`revision ${last.revision} of ${work.release} was ${last.status}: marked as failed, ${over}`);
  return records.list();
}

function whyOver({ labels, release }: ReleaseRecord, wanted: boolean, now: number): string | null {
  if (wanted) return "as the job asks (recover_pending)";
  const deadline = Number(labels[DEADLINE_LABEL]) * 1_000;
  if (deadline > 0) return now > deadline + GRACE_MS ? "the job that made it is over" : null;
  const since = Date.parse(release.info.last_deployed ?? "");
  return now - since > FORGOTTEN_MS ? "nobody finished it within an hour" : null;
}

function stillPending(release: string, { revision, status, labels, object }: ReleaseRecord): RunnerError {
  const since = object.metadata?.creationTimestamp;
  const by = labels[EXECUTION_LABEL] === undefined ? "another helm" : `execution ${labels[EXECUTION_LABEL]}`;
  const when = typeof since === "string" ? ` since ${since}` : "";
  return new RunnerError(
    "conflict",
    `helm.pending_operation: revision ${revision} of ${release} is ${status}${when}, made by ${by}`,
    {
      remedy: "Wait until it is done; when nothing works on it any more, submit again with recover_pending: true.",
    },
  );
}

/** After every tool of the execution has ended: what it left pending is over. */
export async function settleOwn(ctx: JobContext<unknown>, records: ReleaseRecords): Promise<void> {
  const last = (await records.list()).at(-1);
  if (last === undefined || !isPending(last) || !isOwn(last, ctx)) return;
  await records.markFailed(last, "marked as failed by the runner: its helm has ended");
  ctx.log.warn(`revision ${last.revision} was left ${last.status}: marked as failed`);
}
