import { systemClock } from "../../../kit/base/clock.ts";
import { type KubeClient, KubeError } from "../../../kit/kube/index.ts";
import { type Bell, createBell } from "../../../kit/logs/bell.ts";
import { advance, newLines, type Position, type PositionFile, stampedLine } from "./log-position.ts";
import { type Pod, podIsOver, statusesOf } from "./shapes.ts";

/** Lines are written together when this has passed or this much has come. */
const BATCH_MS = 50;
const BATCH_CHARS = 64 * 1024;
/** Between two tries to read a log that was cut, or to write on a full disk. */
const AGAIN_MS = 1_000;

export interface PodLogDeps {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly positions: PositionFile;
  /** false: the disk is full. */
  readonly write: (lines: string) => boolean;
  readonly say: (text: string) => void;
  readonly warn: (text: string) => void;
}

/** Follows the log of every container of the pods it is shown, each line once, over cuts and restarts. */
export function createPodLogs(deps: PodLogDeps) {
  const stop = new AbortController();
  const followed = new Map<string, Followed>();
  stop.signal.addEventListener("abort", () => {
    for (const { bell } of followed.values()) bell.ring();
  });
  return {
    /** Takes up containers that have started since, and learns which pods are over. */
    show(pods: readonly Pod[]): void {
      for (const pod of pods) {
        for (const status of statusesOf(pod)) {
          if (!status.state?.running && !status.state?.terminated) continue;
          const key = `${pod.metadata.name}/${status.name}`;
          const known = followed.get(key);
          if (known) {
            known.pod = pod;
            known.bell.ring();
            continue;
          }
          const entry = { pod, bell: createBell(systemClock), done: Promise.resolve() };
          followed.set(key, entry);
          entry.done = follow(deps, key, status.name, entry, stop.signal);
        }
      }
    },
    /** All that has started is read to its end, or the time is over. */
    async finish(ms: number): Promise<void> {
      const all = Promise.all([...followed.values()].map((one) => one.done));
      const timer = setTimeout(() => stop.abort(), ms);
      await all;
      clearTimeout(timer);
    },
    end: () => stop.abort(),
  };
}

interface Followed {
  /** As it was seen last. */
  pod: Pod;
  readonly bell: Bell;
  done: Promise<void>;
}

/** Nothing more will be written: the container has ended for good, or its pod is over or being removed. */
function isOver(pod: Pod, container: string): boolean {
  if (podIsOver(pod) || pod.metadata.deletionTimestamp) return true;
  const ended = statusesOf(pod).find((one) => one.name === container)?.state?.terminated;
  return Boolean(ended && (ended.exitCode === 0 || pod.spec.restartPolicy === "Never"));
}

async function follow(
  deps: PodLogDeps,
  key: string,
  container: string,
  entry: Followed,
  signal: AbortSignal,
): Promise<void> {
  const { spec, metadata } = entry.pod;
  const several = spec.containers.length + (spec.initContainers?.length ?? 0) > 1;
  const prefix = several ? `[${container}] ` : "";
  const sink = createSink(deps, key, signal);
  let refused = 0;
  while (!signal.aborted) {
    // Known before the reading: what it reads then is all there is.
    const over = isOver(entry.pod, container);
    try {
      await readOn(deps, { pod: metadata.name, container, prefix, key, sink }, signal);
      if (over) return;
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return;
      if (error instanceof KubeError && (error.status === 403 || error.status === 401)) {
        deps.warn(`the log of container "${container}" cannot be read: ${error.message}; ${error.remedy ?? ""}`);
        return;
      }
      // 400: the container is being made or removed; others: a cut.
      refused += 1;
      await systemClock.sleep(AGAIN_MS, signal);
      if (over && refused > 3)
        return deps.warn(`the end of the log of container "${container}" could not be read: ${String(error)}`);
    }
    if (!isOver(entry.pod, container)) await entry.bell.wait(AGAIN_MS);
  }
}

interface Reading {
  readonly pod: string;
  readonly container: string;
  readonly prefix: string;
  readonly key: string;
  readonly sink: ReturnType<typeof createSink>;
}

async function readOn(deps: PodLogDeps, reading: Reading, signal: AbortSignal): Promise<void> {
  const { pod, container, prefix, key, sink } = reading;
  const from = deps.positions.get(key);
  const isNew = newLines(from);
  const path = `/api/v1/namespaces/${deps.namespace}/pods/${encodeURIComponent(pod)}/log`;
  // Cut to whole seconds by the cluster; a little earlier costs nothing.
  const since = from === null ? {} : { sinceTime: `${from.at.slice(0, 19)}Z` };
  const query = { container, follow: "true", timestamps: "true", ...since };
  let position = from;
  try {
    for await (const line of deps.client.lines(path, query, signal)) {
      if (line === "") continue;
      const stamped = stampedLine(line);
      if (stamped === null) {
        // The kubelet itself speaks (a rotated or removed log): no place in the log to remember.
        await sink.add(`${prefix}${line}\n`, position);
        continue;
      }
      if (!isNew(stamped)) continue;
      position = advance(position, stamped);
      await sink.add(`${prefix}${stamped.text}\n`, position);
    }
  } finally {
    await sink.flush();
  }
}

/** Writes lines together, and behind them at once where the log stands: a crash between the two doubles at most one batch. */
function createSink({ write, positions }: PodLogDeps, key: string, signal: AbortSignal) {
  let lines: string[] = [];
  let size = 0;
  let position: Position | null = null;
  let timer: Timer | null = null;
  const put = (): boolean => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (lines.length === 0) return true;
    if (!write(lines.join(""))) return false;
    lines = [];
    size = 0;
    if (position !== null) positions.set(key, position);
    return true;
  };
  const flush = async () => {
    while (!put() && !signal.aborted) await systemClock.sleep(AGAIN_MS, signal);
  };
  return {
    async add(line: string, at: Position | null): Promise<void> {
      lines.push(line);
      size += line.length;
      position = at;
      if (size >= BATCH_CHARS) return flush();
      timer ??= setTimeout(put, BATCH_MS);
    },
    flush,
  };
}
