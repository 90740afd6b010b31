import type { Hono } from "hono";
import { createApp } from "../../internal/coordinator/api/app.ts";
import { operatorRoutes } from "../../internal/coordinator/api/operator/app.ts";
import { changeEngine } from "../../internal/coordinator/changes/engine.ts";
import { createLogStore } from "../../internal/coordinator/logs/log-store.ts";
import { sourceRoutes } from "../../internal/coordinator/sources/oci-routes.ts";
import { createSourceStore } from "../../internal/coordinator/sources/source-store.ts";
import { testStore } from "../../internal/coordinator/store/test-store.ts";
import { silentLog } from "../../internal/kit/base/system-log.ts";
import { createRegistry } from "../../internal/kit/telemetry/metrics.ts";
import { exchangeOf } from "./exchange.ts";

const KEY = "a key of this test";

/** `METHOD /path/:param` of everything the coordinator serves, from the app itself; `ALL` is a guard or a catch-all. */
export function servedRoutes(): readonly string[] {
  const { store } = testStore();
  const sources = createSourceStore({ db: store.db, clock: store.clock, dataDir: "/nonexistent" });
  const logs = createLogStore(store, "/nonexistent/logs");
  const changes = changeEngine({ store });
  const app = createApp({
    runner: { store, logs, log: silentLog, version: "test", publicUrl: null, renderPlan: (text) => text },
    exchange: exchangeOf(store),
    operator: operatorRoutes({ store, sources, logs, changes, adminKey: KEY, https: false, log: silentLog }),
    sources: sourceRoutes({ sources, reach: () => null }) satisfies Hono,
    metrics: { registry: createRegistry(), adminKey: KEY },
    notReady: () => null,
  });
  app.stop();
  return [...new Set(app.hono.routes.map(({ method, path }) => `${method} ${path}`))].sort();
}
