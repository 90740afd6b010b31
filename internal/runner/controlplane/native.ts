import { systemClock } from "../../kit/base/clock.ts";
import { silentLog } from "../../kit/base/system-log.ts";
import type { HttpFailure } from "../../kit/http/failure.ts";
import type { Http } from "../../kit/http/http.ts";
import { fail, ok, RunnerError } from "../../protocol/errors.ts";
import {
  type ClaimRequest,
  claimResponse,
  completeResponse,
  type RenewRequest,
  renewResponse,
  sessionConflict,
} from "../../protocol/native.ts";
import { RETRY } from "../../protocol/retry.ts";
import { DEFAULT_TIMES } from "../../protocol/times.ts";
import type { Announcement, ControlPlane, ExecutionRef } from "./control-plane.ts";
import { type DialectOptions, httpOf } from "./dialect-http.ts";
import { baselineDocuments } from "./documents.ts";
import { helmReleases } from "./helm-releases.ts";
import { hostFacts } from "./host-facts.ts";
import { encodeLogBatch } from "./log-export.ts";
import { type Completions, createCompletions } from "./native-completions.ts";
import { isLoopback, sendLogs } from "./native-logs.ts";
import { sessionOf, ttlOf, unseal, wishOf, workOf } from "./native-mapping.ts";
import { openSession } from "./native-session.ts";
import { loadPlan } from "./nuon/plan.ts";
import { readSettings } from "./read-settings.ts";
import { createRunnerToken } from "./runner-token.ts";
import { terraformState } from "./terraform-state.ts";

export interface NativeOptions extends DialectOptions {
  /** Where the journal lies; its free space is reported with renewals. */
  readonly stateDir: string;
}

/** The control plane as our own coordinator speaks it (protocol/native.ts). */
export function createNativeControlPlane(options: NativeOptions): ControlPlane {
  const { clock = systemClock, random = Math.random, log = silentLog, held } = options;
  const url = options.url.replace(/\/+$/, "");
  const token = createRunnerToken(options);
  const http = httpOf(options, url, token);
  const runnerPath = `/v1/runners/${encodeURIComponent(options.runnerId)}`;
  const completions = completionsOf(http, `${runnerPath}/completions`);
  const connected = Promise.withResolvers<Announcement>();
  const exporter = { runnerId: options.runnerId, version: options.version, schemaUrl: url };
  let holdMs = DEFAULT_TIMES.claim_hold_ms;
  let seen = 0;

  return {
    dialect: "native",
    async connect(announcement, signal) {
      const opened = await openSession({ http, runnerPath, clock, random, log, held }, announcement, signal);
      if (!opened.ok) return opened;
      holdMs = opened.value.session.times.claim_hold_ms;
      connected.resolve(announcement);
      return ok(sessionOf(opened.value.session, opened.value.tookMs));
    },

    settings: (signal) => readSettings(http, options.runnerId, signal),

    async claim({ key, slots, after, waitMs = holdMs }, signal) {
      const announced = await connected.promise;
      const { instanceId: instance_id } = announced;
      const json: ClaimRequest = { instance_id, key, slots, wait_ms: waitMs, after };
      const rule = { ...RETRY.claim, timeout_ms: RETRY.claim.timeout_ms + waitMs };
      const call = { method: "POST", path: `${runnerPath}/claims`, tag: "claims" } as const;
      const ask = () => http.request({ ...call, json, rule, decode: claimResponse, signal });
      let answer = await ask();
      while (!answer.ok && answer.error.status === 409) {
        // The session is another instance's by now, or the coordinator has lost it: announce again, wait if need be.
        const again = await openSession(
          { http, runnerPath, clock, random, log, held },
          { ...announced, held: [] },
          signal,
        );
        if (!again.ok) return again;
        answer = await ask();
      }
      if (!answer.ok) return answer;
      const { claims, directives, after: now } = answer.value.value;
      seen = Math.max(seen, now);
      const work = claims.map((one) => workOf(one, instance_id));
      return ok({ work, directives: directives.map(wishOf), after: now });
    },

    async renew(executions, signal) {
      const { instanceId: instance_id } = await connected.promise;
      const host = await hostFacts(options.stateDir);
      const json: RenewRequest = { instance_id, executions: [...executions], host, after: seen };
      const call = { method: "POST", path: `${runnerPath}/renewals`, tag: "renewals" } as const;
      const answer = await http.request({ ...call, json, rule: RETRY.renew, decode: renewResponse, signal });
      if (!answer.ok) {
        const holder = otherHolder(answer.error, instance_id);
        if (holder === null) return answer;
        // Taken over: every lease of this instance went with the session.
        const reason = `another instance (${holder}) works as this runner`;
        const lost = executions.map(({ execution_id }) => ({ execution_id, reason }));
        return ok({ leases: [], lost, directives: [], after: seen });
      }
      const { tookMs, value } = answer.value;
      seen = Math.max(seen, value.after);
      const leases = value.leases.map((one) => ({ execution_id: one.execution_id, ttlMs: ttlOf(one, tookMs) }));
      return ok({ leases, lost: value.lost, directives: value.directives.map(wishOf), after: value.after });
    },

    logs: (execution, batch, signal) =>
      sendLogs(
        { http, loopback: isLoopback(url) },
        execution,
        batch,
        encodeLogBatch(execution, batch, exporter),
        signal,
      ),

    async complete(execution, completion, cleanup, signal) {
      // Reports may come before the session: the sealed facts know the instance. Where they are lost, the session does.
      const instance = unseal(execution)?.instance_id ?? (await orAbort(connected.promise, signal))?.instanceId;
      if (instance === undefined) return fail(new RunnerError("cancelled", "reporting was given up"));
      const reported = await completions.report(instance, completion, signal);
      if (!reported.ok) return reported;
      const end = { execution_id: execution.id, epoch: execution.epoch, error: await cleanup() };
      const cleaned = await completions.cleaned(instance, end, signal);
      if (!cleaned.ok) log.warn("the end of a cleanup could not be reported", { why: cleaned.error.message });
      return ok({ recorded: reported.value.recorded, reason: reported.value.reason });
    },

    async tell(event, signal) {
      const call = { method: "POST", path: `${runnerPath}/events`, tag: "events" } as const;
      const told = await http.request({ ...call, json: event, rule: RETRY.report, decode: "none", signal });
      return told.ok ? ok(undefined) : told;
    },

    documents: (execution) => documentsOf(execution, http),
    plan: (execution, signal) => loadPlan(http, execution.jobId, signal),

    state(execution) {
      const auth = unseal(execution)?.credentials ?? { token: token.value };
      return terraformState({ http, url, jobId: execution.jobId, executionId: execution.id, auth, ca: options.ca });
    },

    releases(execution) {
      const credentials = unseal(execution)?.credentials;
      return helmReleases(http, credentials ?? null);
    },

    secrets(execution) {
      const credentials = unseal(execution)?.credentials;
      return credentials === undefined ? token.known() : [...token.known(), credentials.password];
    },
    onSecret: token.onRenewed,
  };
}

/** Who holds the session instead of us, as a 409 says; null when it names nobody else. */
function otherHolder(error: HttpFailure, instanceId: string): string | null {
  const conflict = error.status === 409 ? sessionConflict.safeParse(error.body) : null;
  const holder = conflict?.data?.holder.instance_id ?? "";
  return holder === "" || holder === instanceId ? null : holder;
}

function completionsOf(http: Http, path: string): Completions {
  return createCompletions(async (json, signal) => {
    const call = { method: "POST", path, tag: "completions" } as const;
    const answer = await http.request({ ...call, json, rule: RETRY.report, decode: completeResponse, signal });
    return answer.ok ? ok(answer.value.value) : answer;
  });
}

function documentsOf(execution: ExecutionRef, http: Http): ReturnType<ControlPlane["documents"]> {
  const given = unseal(execution)?.documents;
  const baseline = baselineDocuments(http);
  return {
    actionRun: async (installId, runId) => given?.action_run ?? baseline.actionRun(installId, runId),
    actionConfig: async (configId) => given?.action_config ?? baseline.actionConfig(configId),
    appConfig: async (appId, configId) => given?.app_config ?? baseline.appConfig(appId, configId),
  };
}

async function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  if (signal.aborted) return null;
  const given = Promise.withResolvers<null>();
  const giveUp = () => given.resolve(null);
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([promise, given.promise]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}
