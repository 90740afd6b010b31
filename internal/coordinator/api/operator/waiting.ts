import { isTerminal, WAIT_REASONS, type WaitReason } from "../../../protocol/enums.ts";
import { evaluate, type JobView, obstacleOf, type RunnerView, type Running } from "../../queue/evaluate.ts";
import type { JobRow } from "../../store/statements.ts";
import type { Store } from "../../store/store.ts";
import { jobView, runnerView, runningNow } from "../../store/views.ts";

/** A runner as a sentence names it. */
export interface NamedRunner extends RunnerView {
  readonly name: string;
}

/** What the runners look like now, read once for a whole list. */
export interface Fleet {
  readonly runners: readonly NamedRunner[];
  readonly running: Running;
}

function fleetNow(store: Store): Fleet {
  const runners = store.runners.all().map((one) => ({ ...runnerView(store, one), name: one.row.name }));
  return { runners, running: runningNow(store) };
}

/** Read when the first waiting job asks for it, and only then. */
export function fleetOnce(store: Store): () => Fleet {
  let fleet: Fleet | null = null;
  return () => {
    fleet ??= fleetNow(store);
    return fleet;
  };
}

/**
 * What a waiting job waits for and what a person can do about it, as sentences; empty when it does not wait. The facts
 * are those of now, so that they fit what the page shows beside them.
 */
export function waitingFor(row: JobRow, fleetOf: () => Fleet): string {
  if (isTerminal(row.status) || row.status === "in-progress") return "";
  if (row.parked === 1) return sentences.parked(jobView(row), fleetOf());
  if (row.status === "available") return "It is offered: a runner takes it in a moment.";
  const reason = WAIT_REASONS.find((one) => one === row.reason);
  if (row.status !== "queued" || reason === undefined) return "";
  const job = jobView(row);
  const fleet = fleetOf();
  const verdict = reason === "paused" ? null : evaluate(job, fleet.runners, fleet.running);
  if (verdict?.offer) return "A runner is free: it is offered in a moment.";
  return sentences[verdict?.reason ?? reason](job, fleet);
}

const sentences: Record<WaitReason, (job: JobView, fleet: Fleet) => string> = {
  no_runner_online: (job, { runners }) => {
    if (job.runnerId !== null) {
      const name = runners.find((one) => one.id === job.runnerId)?.name ?? job.runnerId;
      return `Only runner ${name} may take it, and that one is not online. Start it, or submit the job without --runner.`;
    }
    if (runners.length === 0)
      return "There is no runner yet. Create one with `runner runners create NAME`, then start it with `runner run`.";
    return `None of ${count(runners.length, "runner")} is online. Start one with \`runner run\`.`;
  },
  no_compatible_runner: (job, fleet) => {
    const others = live(fleet).map((one) => `${one.name} takes ${groupsOf(one)}`);
    const { native = false, plain_http: plainHttp = false } = job.requires;
    const ours = native ? " and needs a runner of this program, not a Go runner" : "";
    const why = plainHttp
      ? ": that one fetches sources over https only, and this coordinator speaks plain HTTP (--tls-cert and --tls-key, then submit it again)"
      : "";
    return `It is a ${job.type} of the group ${job.group}${ours}${why}; ${listed(others)}. Start a runner with --concurrency ${job.group}=1 in a mode that has this group.`;
  },
  no_arch: (job, fleet) => {
    const archs = [...new Set(live(fleet).map((one) => one.arch ?? "an unknown one"))];
    return `It asks for architecture ${job.requires.arch}; the online runners have ${archs.join(", ")}. Start a runner on such a machine, or change \`requires.arch\`.`;
  },
  no_gpu_count: (job, fleet) => {
    const wanted = job.requires.gpus ?? 0;
    const enough = live(fleet).filter((one) => one.gpus >= wanted && obstacleOf(job, one) === null);
    if (enough.length > 0) {
      const free = enough.map((one) => `${one.name} has ${one.freeGpus.length} of ${one.gpus} free`);
      return `It asks for ${count(wanted, "GPU")}; ${listed(free)}. It starts when a job that holds them ends.`;
    }
    const most = Math.max(0, ...live(fleet).map((one) => one.gpus));
    return `It asks for ${count(wanted, "GPU")}; the most on one online runner is ${most}. Start a runner with more, or change \`requires.gpus\`.`;
  },
  no_label: (job, fleet) => {
    const wanted = Object.entries(job.requires.labels ?? {}).map(([key, value]) => `${key}=${value}`);
    const near = live(fleet).map((one) => {
      const lacks = wanted.filter((pair) => !hasLabel(one, pair));
      return `${one.name} lacks ${lacks.length === 0 ? "none of them" : lacks.join(", ")}`;
    });
    return `It asks for the labels ${wanted.join(", ")}; ${listed(near)}. Give a runner these labels, or change \`requires.labels\`.`;
  },
  group_busy: (job, fleet) => {
    const able = fleet.runners.filter((one) => obstacleOf(job, one) === null);
    const slots = able.reduce((sum, one) => sum + (one.slots[job.group] ?? 0), 0);
    return `All ${count(slots, "slot")} for the group ${job.group} (${able.map((one) => one.name).join(", ")}) are busy. It starts when one is free; --concurrency ${job.group}=N makes more of them.`;
  },
  paused: () => "Its queue is paused.",
  parked: () =>
    "Parked for a person: it was interrupted and is not repeated by itself. Read the timeline, then retry or cancel it.",
  runner_draining: (job, { runners }) => {
    const names = runners.filter((one) => obstacleOf(job, one) === "runner_draining").map((one) => one.name);
    return `The only runner for it (${names.join(", ")}) is draining and takes nothing new. Start another one, or restart that one.`;
  },
};

const live = ({ runners }: Fleet) => runners.filter((one) => one.live && !one.draining);

function groupsOf(runner: NamedRunner): string {
  const groups = Object.entries(runner.slots).filter(([, slots]) => (slots ?? 0) > 0);
  return groups.length === 0 ? "nothing" : groups.map(([group]) => group).join(", ");
}

function hasLabel(runner: NamedRunner, pair: string): boolean {
  const at = pair.indexOf("=");
  return runner.labels[pair.slice(0, at)] === pair.slice(at + 1);
}

/** The first few: a sentence about forty runners is read by nobody. */
const NAMED = 3;

function listed(parts: readonly string[]): string {
  if (parts.length === 0) return "no online runner fits";
  const more = parts.length > NAMED ? `, and ${parts.length - NAMED} more do not fit either` : "";
  return parts.slice(0, NAMED).join("; ") + more;
}

const count = (n: number, word: string) => `${n} ${n === 1 ? word : `${word}s`}`;
