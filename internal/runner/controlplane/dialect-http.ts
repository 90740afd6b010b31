import type { Clock } from "../../kit/base/clock.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import { type Credential, createHttp, type Fetch, type Http, type HttpWatch } from "../../kit/http/http.ts";
import { createRunnerToken } from "./runner-token.ts";

/** What every dialect needs to reach its control plane. */
export interface DialectOptions {
  /** RUNNER_API_URL. */
  readonly url: string;
  readonly runnerId: string;
  readonly token: string;
  /** Reads where the token came from again; null: it cannot be read now. Absent: this token or none. */
  readonly readToken?: (() => string | null) | undefined;
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
export function httpOf(
  options: DialectOptions,
  baseUrl: string,
  credential: Credential = createRunnerToken(options),
): Http {
  const { ca, fetch, clock, random, log, watch, version } = options;
  return createHttp({
    baseUrl,
    headers: { "X-Nuon-Client-Version": `runner:${version}` },
    credential,
    checkOnRefusal: "Check RUNNER_API_URL, RUNNER_ID and RUNNER_API_TOKEN.",
    ...(ca === undefined ? {} : { ca }),
    ...(fetch === undefined ? {} : { fetch }),
    ...(clock === undefined ? {} : { clock }),
    ...(random === undefined ? {} : { random }),
    ...(log === undefined ? {} : { log }),
    ...(watch === undefined ? {} : { watch }),
  });
}
