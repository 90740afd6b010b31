import { expect, test } from "bun:test";
import { OpenAPIHono } from "@hono/zod-openapi";
import { Hono } from "hono";
import { exchangeOf } from "../../../test/lib/exchange.ts";
import { silentLog } from "../../kit/base/system-log.ts";
import { createRegistry } from "../../kit/telemetry/metrics.ts";
import { changeEngine } from "../changes/engine.ts";
import type { LogStore } from "../logs/log-store.ts";
import { createSourceStore } from "../sources/source-store.ts";
import { testStore } from "../store/test-store.ts";
import { createApp } from "./app.ts";
import { operatorRoutes } from "./operator/app.ts";

const metrics = { registry: createRegistry(), adminKey: "a key of this test" };

const noLogs: LogStore = {
  append: () => ({ ok: true, value: { stored: 0 } }),
  batches: async function* () {},
  grown: async () => {},
  close: () => {},
};

test("no two dialects answer the same method and path", () => {
  const { store } = testStore();
  const sources = createSourceStore({ db: store.db, clock: store.clock, dataDir: "/nonexistent" });
  const operator = operatorRoutes({
    store,
    sources,
    logs: noLogs,
    changes: changeEngine({ store }),
    adminKey: "a key of this test",
    https: false,
    log: silentLog,
  });
  const runner = {
    store,
    logs: noLogs,
    log: silentLog,
    version: "test",
    publicUrl: null,
    renderPlan: (text: string) => text,
  };
  const app = createApp({
    runner,
    exchange: exchangeOf(store),
    operator,
    sources: new Hono(),
    metrics,
    notReady: () => null,
  });
  // Parameters of another name are the same path.
  const routes = app.hono.routes
    .filter((route) => route.method !== "ALL")
    .map((route) => `${route.method} ${route.path.replace(/:[^/]+/g, ":x")}`);
  const twice = [...new Set(routes.filter((route, index) => routes.indexOf(route) !== index))];
  expect(twice.filter((route) => !route.includes("/api/v1/"))).toEqual([]);
  expect(routes).toContain("POST /v1/runners/:x/claims");
  app.stop();
});

test("a disk that is full is told as a passing condition, a defect is not", async () => {
  const { store } = testStore();
  const runner = {
    store,
    logs: noLogs,
    log: silentLog,
    version: "test",
    publicUrl: null,
    renderPlan: (t: string) => t,
  };
  const operator = new OpenAPIHono();
  operator.get("/full", () => {
    throw Object.assign(new Error("database or disk is full"), { code: "SQLITE_FULL" });
  });
  operator.get("/defect", () => {
    throw new Error("a defect");
  });
  const app = createApp({
    runner,
    exchange: exchangeOf(store),
    operator,
    sources: new Hono(),
    metrics,
    notReady: () => "starting",
  });
  const full = await app.hono.request("/api/v1/full");
  expect(full.status).toBe(503);
  expect(full.headers.get("retry-after")).toBe("5");
  expect((await app.hono.request("/api/v1/defect")).status).toBe(500);
  expect((await app.hono.request("/readyz")).status).toBe(503);
  app.stop();
});
