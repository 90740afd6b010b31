import type { OpenAPIHono } from "@hono/zod-openapi";
import { Hono } from "hono";
import type { SystemLog } from "../../kit/base/system-log.ts";
import { METRICS_TYPE, type Registry } from "../../kit/telemetry/metrics.ts";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { Exchange } from "../identity/exchange.ts";
import { adminGuard } from "./auth.ts";
import { createClaimHolder } from "./claim-holder.ts";
import type { RunnerApiDeps } from "./runner-deps.ts";
import { documentRoutes } from "./runner-documents.ts";
import { exchangeRoutes } from "./runner-exchange.ts";
import { helmRoutes } from "./runner-helm.ts";
import { identityRoutes } from "./runner-identity.ts";
import { jobRoutes } from "./runner-jobs.ts";
import { logRoutes } from "./runner-logs.ts";
import { nativeRoutes } from "./runner-native.ts";
import { planRoutes } from "./runner-plans.ts";
import { stateRoutes } from "./runner-state.ts";
import { telemetryRoutes } from "./runner-telemetry.ts";
import { workspaceRoutes } from "./runner-workspaces.ts";

export interface AppParts {
  readonly runner: RunnerApiDeps;
  readonly exchange: Exchange;
  /** Mounted at /api/v1. */
  readonly operator: OpenAPIHono;
  /** Mounted at /v2. */
  readonly sources: Hono;
  /** Behind the admin key. */
  readonly metrics: { readonly registry: Registry; readonly adminKey: string };
  /** null: ready. */
  readonly notReady: () => string | null;
}

export interface App {
  readonly hono: Hono;
  /** Ends every held claim. */
  stop(): void;
}

/** Every route of every dialect in one place. */
export function createApp(parts: AppParts): App {
  const app = new Hono();
  const claims = createClaimHolder(parts.runner);
  const { log } = parts.runner;
  app.onError((error, c) => {
    const known = troubleOf(error, log);
    return c.json({ error: known.message, description: known.message }, known.status, known.headers);
  });
  app.notFound((c) => c.body("404 page not found", 404, { "content-type": "text/plain" }));
  app.get("/livez", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => {
    const reason = parts.notReady();
    return reason === null ? c.json({ status: "ok" }) : c.json({ status: "not ready", reason }, 503);
  });
  const { registry, adminKey } = parts.metrics;
  registry.gauge("runner_coordinator_held_claims", "Claims that wait for work now.", () => [[{}, claims.waiting()]]);
  app.route("/metrics", metricsRoute(registry, adminKey));
  app.route("/", nativeRoutes(parts.runner, claims));
  app.route("/", identityRoutes(parts.runner));
  app.route("/", exchangeRoutes(parts.exchange));
  app.route("/", jobRoutes(parts.runner));
  app.route("/", planRoutes(parts.runner));
  app.route("/", documentRoutes(parts.runner));
  app.route("/", logRoutes(parts.runner));
  app.route("/", stateRoutes(parts.runner));
  app.route("/", workspaceRoutes(parts.runner));
  app.route("/", helmRoutes(parts.runner));
  app.route("/", telemetryRoutes(parts.runner, registry));
  app.route("/api/v1", parts.operator);
  app.route("/v2", parts.sources);
  return { hono: app, stop: claims.stop };
}

/** Numbers of the queue say what a customer does, so they need the key. */
function metricsRoute(registry: Registry, adminKey: string): Hono {
  const app = new Hono();
  app.use("*", adminGuard(adminKey));
  app.get("/", (c) => c.text(registry.text(), 200, { "content-type": METRICS_TYPE }));
  return app;
}

interface Trouble {
  readonly message: string;
  readonly status: 500 | 503;
  readonly headers: Record<string, string>;
}

/** A full or busy disk passes, so clients shall come back; everything else is a defect of ours. */
function troubleOf(error: Error, log: SystemLog): Trouble {
  const code = "code" in error ? String(error.code) : "";
  if (/^(SQLITE_(FULL|BUSY|IOERR)|ENOSPC|EDQUOT|EMFILE)/.test(code)) {
    log.error("a request could not be stored", { error: reasonOf(error), code });
    return {
      message: `the coordinator cannot write: ${reasonOf(error)}`,
      status: 503,
      headers: { "retry-after": "5" },
    };
  }
  log.error("a request failed", { error: reasonOf(error), kind: error instanceof RunnerError ? error.kind : "defect" });
  return { message: reasonOf(error), status: 500, headers: {} };
}
