import type { Clock } from "../../../kit/base/clock.ts";
import type { SystemLog } from "../../../kit/base/system-log.ts";
import type { RunnerMode } from "../../../protocol/enums.ts";
import { msToNs, nsToMs } from "../../../protocol/nuon/base.ts";
import { NUON_BEAT_MS } from "../../../protocol/times.ts";
import type { NuonClient } from "./client.ts";

/** The server calls a runner unhealthy after 15 s: one lost beat must not be enough. */
const SLOWEST_BEAT_MS = 7_000;
/** A setting in the wrong unit must not become a flood. */
const FASTEST_BEAT_MS = 500;

/** Names the Go runner gives its processes; a runner that works every group sends none. */
const PROCESS: Record<RunnerMode, string | undefined> = {
  all: undefined,
  install: "install",
  org: "build",
  mng: "mng",
};

interface Beats {
  readonly api: NuonClient;
  readonly runnerId: string;
  readonly clock: Clock;
  readonly log: SystemLog;
  readonly mode: RunnerMode;
  readonly version: string;
  /** settings.heart_beat_timeout as it is now, nanoseconds; asked before each beat. */
  readonly period: () => number | null | undefined;
  /** Wall clock, ms: from then on this runner counts as alive. */
  readonly aliveSince: number;
  /** Asked before each beat. */
  readonly wanted: () => boolean;
}

/** One heart-beat per period, the first at once. A lost one is not repeated: the next is soon. */
export async function beat(beats: Beats): Promise<void> {
  const { api, clock, log } = beats;
  // From one reading of the wall clock on, so that alive_time never jumps: the server takes a reset for a restart.
  const aliveAtStart = Math.max(0, clock.now() - beats.aliveSince);
  const started = clock.monotonic();
  let refusalTold = false;
  for (let next = started; beats.wanted(); ) {
    const period = periodMs(beats.period());
    const alive = aliveAtStart + (clock.monotonic() - started);
    const process = PROCESS[beats.mode];
    const sent = await api.call("CreateRunnerHeartBeat", {
      path: { runner_id: beats.runnerId },
      tag: "heart-beats",
      json: { alive_time: msToNs(alive), version: beats.version, ...(process === undefined ? {} : { process }) },
      rule: { tries: 1, base_ms: 0, cap_ms: 0, timeout_ms: period },
    });
    if (!sent.ok && !sent.error.retryable && !refusalTold) {
      refusalTold = true;
      log.warn("the control plane refuses heart-beats", { why: sent.error.message });
    }
    // After a pause of the whole machine the missed ones are not made up for.
    next = Math.max(next + period, clock.monotonic());
    await clock.sleep(Math.max(0, next - clock.monotonic()));
  }
}

const periodMs = (period: number | null | undefined): number =>
  Math.max(FASTEST_BEAT_MS, Math.min(nsToMs(period) || NUON_BEAT_MS, SLOWEST_BEAT_MS));
