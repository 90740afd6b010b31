import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { type App, createApp } from "../../internal/coordinator/api/app.ts";
import { OPERATOR_ROUTES } from "../../internal/coordinator/api/operator/openapi.ts";
import { sourceRoutes } from "../../internal/coordinator/sources/oci-routes.ts";
import { createSourceStore } from "../../internal/coordinator/sources/source-store.ts";
import { testStore } from "../../internal/coordinator/store/test-store.ts";
import { pageRoutes } from "../../internal/coordinator/web/page-routes.ts";
import { silentLog } from "../../internal/kit/base/system-log.ts";
import { createRegistry } from "../../internal/kit/telemetry/metrics.ts";
import { exchangeOf } from "../lib/exchange.ts";
import { OPERATION_NAMES, OPERATIONS } from "./operations.ts";

/** Every route of every dialect once: what a path means must never depend on who registered first by chance. */
interface Route {
  readonly dialect: string;
  readonly method: string;
  /** Parameters are `:x`. */
  readonly path: string;
}

const plain = (path: string) => path.replace(/\{[^}]+\}|:[^/{]+(\{[^}]*\})?/g, ":x");

/** The page's own, served in front of all others by Bun itself: the document, and files whose names hold their hash. */
const PAGES = ["/", "/ui", "/ui/*"];

/** The table: Nuon's operations, our extension, the operator API, sources, and what anybody may ask. */
const TABLE: readonly Route[] = [
  ...OPERATION_NAMES.map((name) => ({
    dialect: "nuon",
    method: OPERATIONS[name].method,
    path: plain(OPERATIONS[name].path),
  })),
  { dialect: "native", method: "GET", path: "/v1/capabilities" },
  ...["sessions", "claims", "renewals", "completions", "token-exchange", "events"].map((end) => ({
    dialect: "native",
    method: "POST",
    path: `/v1/runners/:x/${end}`,
  })),
  ...OPERATOR_ROUTES.map(({ method, path }) => ({
    dialect: "operator",
    method: method.toUpperCase(),
    path: `/api/v1${plain(path)}`,
  })),
  { dialect: "operator", method: "GET", path: "/api/v1/openapi.json" },
  ...["GET", "HEAD"].flatMap((method) =>
    ["blobs", "manifests"].map((kind) => ({ dialect: "oci", method, path: `/v2/sources/:x/${kind}/:x` })),
  ),
  ...PAGES.map((path) => ({ dialect: "page", method: "GET", path })),
  ...["/livez", "/readyz", "/metrics"].map((path) => ({ dialect: "watching", method: "GET", path })),
];

/** Pairs that one path fits both of; the first is meant, and registered first, so that it is found. */
const OVERLAPS: readonly (readonly [first: string, second: string])[] = [
  // No workflow has the id `configs`, no config the id `latest-config`.
  ["GET /v1/action-workflows/configs/:x", "GET /v1/action-workflows/:x/latest-config"],
  ["GET /v1/helm-releases/:x/releases/:x/query", "GET /v1/helm-releases/:x/releases/:x/:x"],
];

let app: App;
beforeAll(async () => {
  const { store } = testStore();
  const { operatorRoutes } = await import("../../internal/coordinator/api/operator/app.ts");
  const { changeEngine } = await import("../../internal/coordinator/changes/engine.ts");
  const sources = createSourceStore({ db: store.db, clock: store.clock, dataDir: "/nonexistent" });
  const logs = {
    append: () => ({ ok: true, value: { stored: 0 } }) as const,
    batches: async function* () {},
    grown: async () => {},
    remove: () => {},
    close: () => {},
  };
  const adminKey = "a key of this test";
  app = createApp({
    runner: { store, logs, log: silentLog, version: "test", publicUrl: null, renderPlan: (text) => text },
    exchange: exchangeOf(store),
    operator: operatorRoutes({
      store,
      sources,
      logs,
      changes: changeEngine({ store }),
      adminKey,
      https: false,
      log: silentLog,
    }),
    sources: sourceRoutes({ sources, reach: () => null }),
    metrics: { registry: createRegistry(), adminKey },
    notReady: () => null,
  });
});
afterAll(() => app.stop());

const named = ({ method, path }: { readonly method: string; readonly path: string }) => `${method} ${path}`;

/** In the order they were registered; a route with a middleware of its own is one route. */
function served(): string[] {
  const routes = app.hono.routes
    .filter(({ method }) => method !== "ALL")
    .map((one) => ({ ...one, path: plain(one.path) }));
  return [...new Set(routes.map(named))];
}

describe("the table of all routes", () => {
  test("has no route twice, whichever dialect it is of", () => {
    const seen = new Map<string, string[]>();
    for (const route of TABLE) seen.set(named(route), [...(seen.get(named(route)) ?? []), route.dialect]);
    expect([...seen].filter(([, dialects]) => dialects.length > 1)).toEqual([]);
  });

  test("is what is served: nothing is missing, nothing is there without a row", () => {
    const inTable = new Set(TABLE.map(named));
    expect(served().filter((route) => !inTable.has(route))).toEqual([]);
    expect([...inTable].filter((route) => !served().includes(route)).sort()).toEqual(
      PAGES.map((path) => `GET ${path}`).sort(),
    );
    expect(Object.keys(pageRoutes(FROM_SOURCE)).sort()).toEqual([...PAGES].sort());
  });

  test("has no two routes that one path fits, but for listed pairs of which the narrower one comes first", () => {
    const routes = served();
    const pairs = routes.flatMap((first, n) =>
      routes.slice(n + 1).flatMap((second) => (overlap(first, second) ? [[first, second] as const] : [])),
    );
    const known = new Set(OVERLAPS.map((pair) => pair.join(" ~ ")));
    const ofOperator = (pair: readonly [string, string]) => pair.every((route) => route.includes("/api/v1/"));
    expect(pairs.filter((pair) => !ofOperator(pair)).map((pair) => pair.join(" ~ "))).toEqual([...known]);
    // Within the operator API a fixed word is registered before a parameter in its place.
    expect(pairs.filter(ofOperator).filter(([first, second]) => widthOf(first) > widthOf(second))).toEqual([]);
  });
});

/** The page as a run from source has it. */
const FROM_SOURCE = { index: "index.html" };

const widthOf = (route: string) => route.split(":x").length;

function overlap(first: string, second: string): boolean {
  const [a, b] = [first.split(/[ /]+/), second.split(/[ /]+/)];
  if (a.length !== b.length || a[0] !== b[0]) return false;
  return a.every((part, n) => part === b[n] || part === ":x" || b[n] === ":x");
}

test("a method that no dialect serves on a path is 404 page not found, as on the real server", async () => {
  const answer = await new Hono().route("/", app.hono).request("/v1/terraform-backend", { method: "PUT" });
  expect({ status: answer.status, type: answer.headers.get("content-type") }).toMatchObject({ status: 404 });
});
