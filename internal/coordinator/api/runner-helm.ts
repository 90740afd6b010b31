import { type Context, Hono } from "hono";
import { fail, ok, type Result } from "../../protocol/errors.ts";
import { HELM_QUERY_KEYS, HELM_RELEASE_TYPE, type HelmRelease, helmRelease } from "../../protocol/nuon/helm.ts";
import type { Store } from "../store/store.ts";
import {
  chartIsTaken,
  createRelease,
  deleteRelease,
  findReleases,
  type ReleaseFilter,
  type ReleaseKey,
  type ReleaseRow,
  readRelease,
  releaseText,
  runnerKnowsChart,
  updateRelease,
} from "../store/transitions/helm-releases.ts";
import { stateCallerOf } from "./auth.ts";
import { JSON_LIMIT, readBody } from "./body.ts";
import type { RunnerApiDeps } from "./runner-deps.ts";
import { badFormat, badRequest, conflict, missing, noRecord } from "./runner-errors.ts";

const RELEASES = "/v1/helm-releases/:helm_chart_id/releases/:namespace";

/**
 * Helm's release storage, driver `nuon` (nuon-runner-api.md 2.16): what Helm sends is kept byte for byte. A runner reaches
 * the charts of jobs it runs or ran; while another runner works on a chart, only that one writes.
 */
export function helmRoutes(deps: RunnerApiDeps): Hono {
  const app = new Hono();
  const { store } = deps;

  app.get(RELEASES, (c) => {
    const at = reachChart(store, c);
    return at.ok ? listed(c, findReleases(store, at.value.chartId, at.value.namespace, {})) : at.error;
  });

  app.get(`${RELEASES}/query`, (c) => {
    const at = reachChart(store, c);
    if (!at.ok) return at.error;
    const filter = filterOf(c);
    if (!filter.ok) return filter.error;
    const found = findReleases(store, at.value.chartId, at.value.namespace, filter.value);
    // 404, not an empty list: Helm's driver takes it as "not installed yet", so that a first install works.
    return found.length > 0 ? listed(c, found) : noRelease(c);
  });

  app.get(`${RELEASES}/:key`, (c) => {
    const at = reachChart(store, c);
    if (!at.ok) return at.error;
    const row = readRelease(store, at.value);
    return row ? raw(c, releaseText(row), 200) : noRelease(c);
  });

  app.post(`${RELEASES}/:key`, async (c) => {
    const at = writeChart(store, c);
    if (!at.ok) return at.error;
    const body = await readSent(c);
    if (!body.ok) return body.error;
    const { chartId, namespace, key, runnerId } = at.value;
    const where = { chartId, namespace, key };
    const made = await store.db.group(
      () => createRelease(store, where, body.value.release, body.value.text, runnerId),
      "full",
    );
    if (made.ok) return c.json(rowDocument(made.value), 201);
    return conflict(c, "unable to create helm release: the release exists", "duplicate key");
  });

  app.put(`${RELEASES}/:key`, async (c) => {
    const at = writeChart(store, c);
    if (!at.ok) return at.error;
    const body = await readSent(c);
    if (!body.ok) return body.error;
    const found = await store.db.group(
      () => updateRelease(store, at.value, body.value.release, body.value.text),
      "full",
    );
    return found ? c.json(null) : noRelease(c);
  });

  app.delete(`${RELEASES}/:key`, async (c) => {
    const at = writeChart(store, c);
    if (!at.ok) return at.error;
    const found = await store.db.group(() => deleteRelease(store, at.value), "full");
    return found ? c.json(null) : noRelease(c);
  });

  return app;
}

type Reached = ReleaseKey & { readonly runnerId: string };

/** Execution credentials reach the chart of their own job only; a runner's token every chart it ever had a job with. */
function reachChart(store: Store, c: Context): Result<Reached, Response> {
  const caller = stateCallerOf(store, c);
  if (!caller.ok) return caller;
  const runnerId = caller.value.runner.row.id;
  const chartId = c.req.param("helm_chart_id") ?? "";
  const known = runnerKnowsChart(store, chartId, runnerId, caller.value.execution?.job_id);
  if (!known) return fail(noRecord(c, `unable to get helm chart ${chartId}:`));
  return ok({ chartId, namespace: c.req.param("namespace") ?? "", key: c.req.param("key") ?? "", runnerId });
}

function writeChart(store: Store, c: Context): Result<Reached, Response> {
  const at = reachChart(store, c);
  if (!at.ok || !chartIsTaken(store, at.value.chartId, at.value.runnerId)) return at;
  return fail(conflict(c, "another runner works on this chart now", "the lease was lost"));
}

const noRelease = (c: Context) => missing(c, "release not found", "release not found");

function filterOf(c: Context): Result<ReleaseFilter, Response> {
  const asked = c.req.query();
  const unknown = Object.keys(asked).find(
    (key) => key !== "token" && !(HELM_QUERY_KEYS as readonly string[]).includes(key),
  );
  if (unknown !== undefined) return fail(badRequest(c, `unable to list releases: unknown label ${unknown}`));
  return ok(Object.fromEntries(Object.entries(asked).filter(([key, value]) => key !== "token" && value !== "")));
}

async function readSent(
  c: Context,
): Promise<Result<{ readonly release: HelmRelease; readonly text: Uint8Array }, Response>> {
  const body = await readBody(c, JSON_LIMIT);
  if (!body.ok) return body;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(body.value));
  } catch {
    return fail(badFormat(c, "invalid JSON"));
  }
  const parsed = helmRelease.safeParse(value);
  if (parsed.success) return ok({ release: parsed.data, text: body.value });
  return fail(
    badRequest(c, `invalid request: ${parsed.error.issues[0]?.path.join(".") ?? ""} is not as Helm writes it`),
  );
}

/** A list of stored texts, joined as they are. */
const listed = (c: Context, rows: readonly ReleaseRow[]) => raw(c, `[${rows.map(releaseText).join(",")}]`, 200);

const raw = (c: Context, json: string, status: 200) =>
  c.body(json, status, { "content-type": "application/json; charset=utf-8" });

/** The row as Go prints it: names without tags are capitalised. */
function rowDocument(row: ReleaseRow) {
  return {
    HelmChartID: row.chart_id,
    HelmChart: { ...ZERO_CHART },
    created_by_id: row.created_by,
    created_at: new Date(row.created_at).toISOString(),
    updated_at: new Date(row.updated_at).toISOString(),
    org_id: "",
    Key: row.key,
    Type: HELM_RELEASE_TYPE,
    Body: Buffer.from(row.body).toString("base64"),
    Name: row.name,
    Namespace: row.namespace,
    Version: row.version,
    Status: row.status,
    Owner: row.owner,
    labels: JSON.parse(row.labels) as Record<string, string>,
  };
}

const ZERO_TIME = "0001-01-01T00:00:00Z";
const ZERO_CHART = {
  id: "",
  created_by_id: "",
  created_at: ZERO_TIME,
  updated_at: ZERO_TIME,
  org_id: "",
  owner_id: "",
  owner_type: "",
  HelmReleases: null,
};
