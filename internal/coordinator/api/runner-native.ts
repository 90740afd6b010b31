import { type Context, Hono } from "hono";
import { failpoint } from "../../kit/base/failpoint.ts";
import {
  type CompleteResponse,
  claimRequest,
  completeRequest,
  EXTENSION_VERSION,
  type RenewResponse,
  renewRequest,
  runnerEvent,
  type SessionResponse,
  sessionRequest,
} from "../../protocol/native.ts";
import { createRate } from "../identity/rate.ts";
import type { KnownRunner } from "../store/runner-registry.ts";
import { cleanupDone, completeExecution } from "../store/transitions/complete.ts";
import { directivesFor, lastSeq } from "../store/transitions/directives.ts";
import { renewLeases } from "../store/transitions/lease.ts";
import { recordRunnerEvent } from "../store/transitions/runner-events.ts";
import { type Holder, holderAgainst, holdsSession, openSession } from "../store/transitions/session.ts";
import { runnerAt } from "./auth.ts";
import { readJson } from "./body.ts";
import type { ClaimHolder } from "./claim-holder.ts";
import { holdOpen, publicUrlOf, type RunnerApiDeps } from "./runner-deps.ts";
import { tooMany } from "./runner-errors.ts";
import { settingsDocument } from "./runner-wire.ts";

/** A machine in want says a dozen; the timeline is everybody's. */
const EVENTS_PER_MINUTE = 60;
const EVENT_BYTES = 32 * 1024;

/** The extension of protocol/native.ts: sessions, held claims, renewals, completions. Unknown keys are refused. */
export function nativeRoutes(deps: RunnerApiDeps, claims: ClaimHolder): Hono {
  const app = new Hono();
  const { store } = deps;

  app.get("/v1/capabilities", (c) =>
    c.json({ name: "runner-coordinator", extension: EXTENSION_VERSION, version: deps.version }),
  );

  app.post("/v1/runners/:runner_id/sessions", async (c) => {
    const runner = runnerAt(store, c);
    if (!runner.ok) return runner.error;
    const request = await readJson(c, sessionRequest);
    if (!request.ok) return request.error;
    const opened = openSession(store, runner.value.row.id, request.value);
    if (!opened.ok) return sessionTaken(c, opened.error);
    // The instance starts anew: what its former connection waited for would be granted to nobody.
    claims.drop(runner.value.row.id, request.value.instance_id);
    const answer: SessionResponse = {
      session_id: opened.value.sessionId,
      settings: settingsDocument(runner.value, publicUrlOf(deps, c)),
      times: store.times,
      held: opened.value.held,
    };
    return c.json(answer);
  });

  app.post("/v1/runners/:runner_id/claims", async (c) => {
    const runner = runnerAt(store, c);
    if (!runner.ok) return runner.error;
    const request = await readJson(c, claimRequest);
    if (!request.ok) return request.error;
    if (!holdsSession(runner.value, request.value.instance_id)) return noSession(deps, c, runner.value, request.value);
    store.runners.touch(runner.value.row.id);
    holdOpen(c);
    const wait = Math.min(request.value.wait_ms, store.times.claim_hold_ms);
    const wish = { ...request.value, wait_ms: wait };
    const caller = { runnerId: runner.value.row.id, known: () => runnerAt(store, c).ok };
    return c.json(await claims.hold(caller, wish, publicUrlOf(deps, c), c.req.raw.signal));
  });

  app.post("/v1/runners/:runner_id/renewals", async (c) => {
    const runner = runnerAt(store, c);
    if (!runner.ok) return runner.error;
    const request = await readJson(c, renewRequest);
    if (!request.ok) return request.error;
    if (!holdsSession(runner.value, request.value.instance_id)) return noSession(deps, c, runner.value, request.value);
    const id = runner.value.row.id;
    const { instance_id: instance, executions, after } = request.value;
    store.runners.touch(id);
    const answer = await store.db.group((): RenewResponse => {
      const renewal = renewLeases(store, id, instance, executions);
      const directives = directivesFor(store, id, instance, after);
      failpoint("coordinator.renew.before");
      return { ...renewal, directives, after: lastSeq(directives, after) };
    });
    failpoint("coordinator.renew.after");
    return c.json(answer);
  });

  // Without a session too: what an instance did before it lost the runner is still its outcome.
  app.post("/v1/runners/:runner_id/completions", async (c) => {
    const runner = runnerAt(store, c);
    if (!runner.ok) return runner.error;
    const request = await readJson(c, completeRequest, 256 * 1024 * 1024);
    if (!request.ok) return request.error;
    const id = runner.value.row.id;
    const { instance_id: instance, completions, cleanups } = request.value;
    if (holdsSession(runner.value, instance)) store.runners.touch(id);
    const answer = await store.db.group((): CompleteResponse => {
      const recorded = completions.map((completion) => completeExecution(store, id, instance, completion));
      for (const cleanup of cleanups) cleanupDone(store, id, cleanup);
      failpoint("coordinator.complete.before");
      return { completions: recorded };
    }, "full");
    failpoint("coordinator.complete.after");
    return c.json(answer);
  });

  const told = createRate(EVENTS_PER_MINUTE, store.clock.monotonic);
  // Without a session too: what a machine is short of, or a version that was taken back, is told as soon as it can be.
  app.post("/v1/runners/:runner_id/events", async (c) => {
    const runner = runnerAt(store, c);
    if (!runner.ok) return runner.error;
    const seconds = told.wait(runner.value.row.id);
    if (seconds > 0) return tooMany(c, "too many events", seconds);
    const event = await readJson(c, runnerEvent, EVENT_BYTES);
    if (!event.ok) return event.error;
    told.count(runner.value.row.id);
    recordRunnerEvent(store, runner.value.row.id, event.value);
    return c.json({}, 201);
  });

  return app;
}

function sessionTaken(c: Context, holder: Holder) {
  const seconds = Math.ceil(holder.retryAfterMs / 1_000);
  return c.json(
    {
      error: `another instance holds this runner: ${holder.hostname}`,
      user_error: true,
      description: `instance ${holder.instanceId}, last heard of ${new Date(holder.lastContactAt).toISOString()}`,
      holder: {
        instance_id: holder.instanceId,
        hostname: holder.hostname,
        last_contact_at: new Date(holder.lastContactAt).toISOString(),
      },
      retry_after_ms: holder.retryAfterMs,
    },
    409,
    { "retry-after": String(seconds) },
  );
}

/** The instance must announce itself (again): the session is another's, or was never opened here. */
function noSession(deps: RunnerApiDeps, c: Context, runner: KnownRunner, request: { readonly instance_id: string }) {
  const holder = holderAgainst(deps.store, runner, request.instance_id);
  if (holder) return sessionTaken(c, holder);
  return sessionTaken(c, {
    instanceId: runner.session?.row.instance_id ?? "",
    hostname: runner.session?.inventory?.hostname ?? "",
    lastContactAt: (runner.session && deps.store.runners.lastContact(runner)) ?? 0,
    retryAfterMs: 0,
  });
}
