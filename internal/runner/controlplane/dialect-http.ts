import type { Clock } from "../../kit/base/clock.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import { createHttp, type Fetch, type Http, type HttpWatch } from "../../kit/http/http.ts";

/** What every dialect needs to reach its control plane. */
export interface DialectOptions {
  /** RUNNER_API_URL. */
  readonly url: string;
  readonly runnerId: string;
  readonly token: string;
  readonly version: string;
  /** Certificate authorities (PEM) to trust instead of the system's. */
  readonly ca?: string | undefined;
  readonly clock?: Clock;
  readonly fetch?: Fetch;
  /** 0 ≤ n < 1, for jitter. */
  readonly random?: () => number;
  readonly log?: SystemLog;
  readonly watch?: HttpWatch;
  /** Told when another instance turns out to hold this runner, and null when it is ours (again). */
  readonly held?: (by: SessionHolder | null) => void;
}

/** Another instance that works under this runner's id. */
export interface SessionHolder {
  readonly instanceId: string;
  readonly hostname: string;
}

/** A client with the headers and the advice every dialect shares. */
export function httpOf(options: DialectOptions, baseUrl: string): Http {
  const { ca, fetch, clock, random, log, watch, token, version } = options;
  return createHttp({
    baseUrl,
    headers: { Authorization: `Bearer ${token}`, "X-Nuon-Client-Version": `runner:${version}` },
    checkOnRefusal: "Check RUNNER_API_URL, RUNNER_ID and RUNNER_API_TOKEN.",
    ...(ca === undefined ? {} : { ca }),
    ...(fetch === undefined ? {} : { fetch }),
    ...(clock === undefined ? {} : { clock }),
    ...(random === undefined ? {} : { random }),
    ...(log === undefined ? {} : { log }),
    ...(watch === undefined ? {} : { watch }),
  });
}
