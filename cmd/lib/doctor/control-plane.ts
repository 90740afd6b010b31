import { hostname } from "node:os";
import { createHttp, type Fetch } from "../../../internal/kit/http/http.ts";
import type { RunnerError } from "../../../internal/protocol/errors.ts";
import { type RenewRequest, sessionConflict } from "../../../internal/protocol/native.ts";
import { runnerSettings } from "../../../internal/protocol/nuon/settings.ts";
import type { RetryRule } from "../../../internal/protocol/retry.ts";
import { detectDialect } from "../../../internal/runner/controlplane/detect.ts";
import { isLoopback } from "../start-coordinator.ts";
import { type Finding, findings } from "./finding.ts";

/** Whom the runner would work for, and as whom. */
export interface Connection {
  readonly apiUrl: string | null;
  readonly runnerId: string | null;
  readonly token: string | null;
  /** null: found by asking. */
  readonly dialect: "native" | "nuon" | null;
  readonly ca: string | null;
}

/** A person waits: one try, no patience. */
const ASK: RetryRule = { tries: 1, base_ms: 0, cap_ms: 0, timeout_ms: 10_000 };
/** Leases are told by duration, so a small difference harms nobody; tokens and certificates fail beyond these. */
const SKEW_WARNING_MS = 5_000;
const SKEW_FAILED_MS = 60_000;

/** Does it answer, in which dialect, with a clock like ours, and does it take the token? */
export async function checkControlPlane(to: Connection, send: Fetch = fetch): Promise<Finding[]> {
  const say = findings("control plane");
  if (to.apiUrl === null) {
    return [say.warning("no address is given, so nothing was asked", "Give --api-url or set RUNNER_API_URL.")];
  }
  const clock = clockReader(send);
  const http = { baseUrl: to.apiUrl, fetch: clock.fetch, ...(to.ca === null ? {} : { ca: to.ca }) };
  const found = await detectDialect(http, new AbortController().signal, ASK);
  if (!found.ok) return [unreachable(to.apiUrl, found.error), ...clock.finding()];
  const wrong = to.dialect !== null && to.dialect !== found.value;
  const reached = wrong
    ? say.failed(`${to.apiUrl} speaks ${found.value}, not ${to.dialect}`, "Leave --dialect out: it is found by asking.")
    : say.ok(`${to.apiUrl} answers, dialect ${found.value}`);
  const token = await checkToken(to, http);
  const holder = found.value === "native" && token.status === "ok" ? await checkHolder(to, http) : [];
  return [reached, ...plainHttp(new URL(to.apiUrl)), token, ...holder, ...clock.finding()];
}

function unreachable(url: string, error: RunnerError): Finding {
  const say = findings("control plane");
  const remedy =
    error.remedy ?? "Is it running? Check --api-url (RUNNER_API_URL), the network and the proxy variables.";
  return say.failed(`${url}: ${error.message}`, remedy);
}

function plainHttp(url: URL): Finding[] {
  if (url.protocol === "https:" || isLoopback(url.hostname.replace(/^\[|\]$/g, ""))) return [];
  const text = `${url.host} is spoken to in plain HTTP: the token can be read on the way`;
  return [
    findings("encryption").warning(text, "Give the coordinator --tls-cert and --tls-key, and use https:// here."),
  ];
}

type Access = { readonly baseUrl: string; readonly fetch: Fetch; readonly ca?: string };

async function checkToken({ runnerId, token }: Connection, access: Access): Promise<Finding> {
  const say = findings("token");
  if (runnerId === null) return say.warning("no runner id is given, so the token was not tried", "Set RUNNER_ID.");
  if (token === null) {
    return say.warning("no token is given", "Set RUNNER_API_TOKEN or give --token-file.");
  }
  const http = createHttp({ ...access, headers: { Authorization: `Bearer ${token}` }, endOnDistrust: true });
  const path = `/v1/runners/${encodeURIComponent(runnerId)}/settings`;
  const answer = await http.request({ method: "GET", path, rule: ASK, decode: runnerSettings });
  if (answer.ok) return say.ok(`taken for runner ${runnerId}`);
  const { status, message } = answer.error;
  if (status === 401 || status === 403 || status === 404) {
    const remedy = `Check RUNNER_ID and the token; \`runner runners rotate ${runnerId}\` makes a new one.`;
    return say.failed(`refused for runner ${runnerId} (${status})`, remedy);
  }
  return say.failed(`could not be tried: ${message}`, "Look at the log of the control plane.");
}

/**
 * Does somebody work under this id already? A renewal of nothing by an instance that is none changes nothing, and the
 * refusal names who holds the session.
 */
async function checkHolder({ runnerId, token }: Connection, access: Access): Promise<Finding[]> {
  const http = createHttp({ ...access, headers: { Authorization: `Bearer ${token}` } });
  const path = `/v1/runners/${encodeURIComponent(runnerId ?? "")}/renewals`;
  const host = { load: 0, memory_free_bytes: 0, disk_free_bytes: 0 };
  const json: RenewRequest = { instance_id: "doctor", executions: [], host, after: 0 };
  const answer = await http.request({ method: "POST", path, json, rule: ASK, decode: "none" });
  const conflict = answer.ok ? null : sessionConflict.safeParse(answer.error.body);
  // Zero: it was heard of too long ago to be waited for.
  if (!conflict?.success || conflict.data.retry_after_ms === 0) return [];
  const { hostname: on, last_contact_at: heard } = conflict.data.holder;
  const say = findings("runner id");
  if (on === hostname()) return [say.ok(`a runner on this machine works under ${runnerId}`)];
  return [
    say.warning(
      `a runner on ${on} works under ${runnerId}, heard of ${heard}: another one would wait until it is gone`,
      "Fine if that one is meant; else give this one an id of its own: `runner runners create NAME`.",
    ),
  ];
}

/** Reads the Date of every answer that passes: the clocks are compared without a request of their own. */
function clockReader(send: Fetch) {
  let skewMs: number | null = null;
  const observed: Fetch = async (url, init) => {
    const answer = await send(url, init);
    const date = Date.parse(answer.headers.get("date") ?? "");
    // The header counts whole seconds: half a second is its mean error.
    if (!Number.isNaN(date)) skewMs = date + 500 - Date.now();
    return answer;
  };
  return { fetch: observed, finding: () => (skewMs === null ? [] : [skewFinding(skewMs)]) };
}

function skewFinding(skewMs: number): Finding {
  const say = findings("clock");
  const off = Math.abs(skewMs);
  if (off < SKEW_WARNING_MS) return say.ok("agrees with that of the control plane");
  const text = `${Math.round(off / 1_000)} s ${skewMs > 0 ? "behind" : "ahead of"} that of the control plane`;
  const remedy = "Set the clocks by NTP: timedatectl set-ntp true (here, or on the control plane).";
  return off < SKEW_FAILED_MS ? say.warning(text, remedy) : say.failed(text, remedy);
}
