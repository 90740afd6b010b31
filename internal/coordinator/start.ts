import { type Clock, systemClock } from "../kit/base/clock.ts";
import { RunnerError, reasonOf } from "../protocol/errors.ts";
import { type App, createApp } from "./api/app.ts";
import { operatorRoutes } from "./api/operator/app.ts";
import { createAuditLog } from "./audit.ts";
import { changeEngine } from "./changes/engine.ts";
import { renderPlan } from "./compile/render-plan.ts";
import type { Coordinator, CoordinatorDeps, CoordinatorOptions } from "./coordinator.ts";
import { type DataDir, keyFile, openDataDir } from "./data-dir.ts";
import { createExchange } from "./identity/exchange.ts";
import { traceJobs } from "./job-spans.ts";
import { createLogStore } from "./logs/log-store.ts";
import { coordinatorMetrics } from "./metrics.ts";
import { claimSigner } from "./signing/claim-signer.ts";
import { sourceRoutes } from "./sources/oci-routes.ts";
import { sourcesReached } from "./sources/reach.ts";
import { createSourceStore } from "./sources/source-store.ts";
import { absorbJump, createJumpWatch } from "./store/clock-jump.ts";
import { createStore, type Store } from "./store/store.ts";
import { DEFAULT_RETENTION, prune } from "./store/transitions/prune.ts";
import { graceAfterStart, tick } from "./store/transitions/tick.ts";
import { webRoutes } from "./web/index.ts";

const TICK_MS = 1_000;
/** What retention takes goes in small rounds. */
const PRUNE_MS = 10_000;
/** Above the largest source blob; every route has its own, lower limit. */
const MAX_BODY = 1024 * 1024 * 1024;

/**
 * Starts the coordinator: port first, then folder and database, so that a refusal leaves nothing behind. Throws
 * RunnerError (environment: port in use, folder in use, unwritable, full or damaged; usage: a bad key file).
 */
export async function startCoordinator(
  options: CoordinatorOptions,
  deps: CoordinatorDeps & { readonly clock?: Clock },
): Promise<Coordinator> {
  const server = listen(options);
  let dataDir: DataDir | null = null;
  try {
    dataDir = openDataDir(options.dataDir, options.exclusive);
    const adminKey = keyFile(options.adminKeyFile);
    const url = urlOf(options, server.port ?? options.port);
    const parts = assemble(options, deps, dataDir, { adminKey, url });
    server.reload({ routes: { ...webRoutes }, fetch: parts.app.hono.fetch });
    const ticker = setInterval(() => parts.tick(), TICK_MS);
    ticker.unref();
    const opened = dataDir;
    const stop = async () => {
      clearInterval(ticker);
      parts.app.stop();
      // Held claims answer in this turn; then streams that never end are cut.
      await Bun.sleep(10);
      await server.stop(true);
      parts.close();
      opened.close();
    };
    return { url, adminKey, stop };
  } catch (error) {
    dataDir?.close();
    await server.stop(true);
    throw error;
  }
}

/** null: the database answers. */
function databaseTrouble(store: Store): string | null {
  try {
    store.db.prepare<{ n: number }, []>("SELECT count(*) AS n FROM runners").get();
    return null;
  } catch (error) {
    return `the database does not answer: ${reasonOf(error)}`;
  }
}

interface Parts {
  readonly app: App;
  tick(): void;
  close(): void;
}

function assemble(
  options: CoordinatorOptions,
  deps: CoordinatorDeps & { readonly clock?: Clock },
  dataDir: DataDir,
  { adminKey, url }: { readonly adminKey: string; readonly url: string },
): Parts {
  const { log, clock = systemClock, telemetry = null } = deps;
  const keep = options.keepStates === undefined ? {} : { keepStates: options.keepStates };
  const store = createStore({ db: dataDir.db, times: options.times, clock, secret: dataDir.secret, ...keep });
  const metrics = coordinatorMetrics(store, options.version);
  const stored = createLogStore(store, `${options.dataDir}/logs`);
  const logs = metrics.counted(stored);
  const sources = createSourceStore({ db: dataDir.db, clock, dataDir: options.dataDir });
  const changes = changeEngine({
    store,
    ...(options.approvalMs === undefined ? {} : { approvalMs: options.approvalMs }),
  });
  telemetry?.push(metrics.registry);
  const spans = telemetry?.tracer ? { spans: traceJobs(store, telemetry.tracer) } : {};
  const { signingKey } = options;
  const signs = signingKey ? { sign: claimSigner(signingKey, clock) } : {};
  store.jobEnded.push(changes.jobEnded);
  store.startChecks.push(changes.startCheck);
  const exchange = createExchange({
    store,
    log,
    clock,
    audit: createAuditLog(store),
    // Never the Host of a request: whoever asks could say there what their proof is for.
    origin: new URL(options.publicUrl ?? url).origin,
    options: options.exchange ?? { ca: null, stsEndpoint: null, tokenLifeMs: null },
    counted: metrics.exchanges,
  });
  graceAfterStart(store);
  const jumped = createJumpWatch(clock);
  let prunesAt = clock.monotonic() + PRUNE_MS;
  const app = createApp({
    runner: {
      store,
      logs,
      log,
      version: options.version,
      publicUrl: options.publicUrl,
      renderPlan,
      ...spans,
      ...signs,
    },
    exchange,
    operator: operatorRoutes({
      store,
      sources,
      changes,
      logs,
      adminKey,
      https: servesHttps(options),
      log,
      signingKeys: signingKey ? [signingKey.jwk] : [],
    }),
    sources: sourceRoutes({ sources, reach: (username, password) => sourcesReached(store, username, password) }),
    metrics: { registry: metrics.registry, adminKey },
    notReady: () => databaseTrouble(store),
  });
  return {
    app,
    tick: () => {
      try {
        const jump = jumped();
        if (jump) {
          log.warn("the clock of this machine was set; leases and deadlines move with it", { by_ms: jump.ms });
          absorbJump(store, jump);
        }
        tick(store);
        changes.expire();
        const now = clock.monotonic();
        if (now < prunesAt) return;
        prunesAt = now + PRUNE_MS;
        stored.remove(prune(store, options.retention ?? DEFAULT_RETENTION));
      } catch (error) {
        // A full disk, say: tried again in a second.
        log.error("the coordinator's tick failed", { error: reasonOf(error) });
      }
    },
    close: () => {
      store.runners.flush();
      logs.close();
    },
  };
}

function listen(options: CoordinatorOptions) {
  try {
    return Bun.serve({
      hostname: options.host,
      port: options.port,
      // Bun shares a port between processes unless told not to: the second coordinator would get half of the requests.
      reusePort: false,
      development: false,
      maxRequestBodySize: MAX_BODY,
      ...(options.tls ? { tls: options.tls } : {}),
      routes: {},
      fetch: () => new Response("starting", { status: 503, headers: { "retry-after": "1" } }),
    });
  } catch (cause) {
    const code = cause !== null && typeof cause === "object" && "code" in cause ? cause.code : "";
    const address = `${options.host}:${options.port}`;
    const inUse = code === "EADDRINUSE";
    throw new RunnerError(
      "environment",
      inUse ? `another program listens on ${address}` : `cannot listen on ${address}: ${reasonOf(cause)}`,
      {
        remedy: inUse ? "Stop it, or choose another address with --listen." : "Check --listen and the TLS files.",
        cause,
      },
    );
  }
}

/** As runners reach it: behind a proxy with TLS it is the public address that counts. */
const servesHttps = ({ publicUrl, tls }: CoordinatorOptions): boolean =>
  publicUrl === null ? tls !== null : publicUrl.startsWith("https:");

function urlOf(options: CoordinatorOptions, port: number): string {
  const host = options.host === "0.0.0.0" ? "127.0.0.1" : options.host === "::" ? "[::1]" : options.host;
  const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return `${options.tls ? "https" : "http"}://${bracketed}:${port}`;
}
