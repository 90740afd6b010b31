import { Hono } from "hono";
import { newId } from "../../protocol/ids.ts";
import { nsToMs } from "../../protocol/nuon/base.ts";
import { heartBeatRequest } from "../../protocol/nuon/jobs.ts";
import { nuonBeat, nuonSign } from "../store/transitions/nuon-session.ts";
import { runnerAt } from "./auth.ts";
import { readJson } from "./body.ts";
import { publicUrlOf, type RunnerApiDeps } from "./runner-deps.ts";
import { settingsDocument } from "./runner-wire.ts";

/** Status of a runner by its contact; healthy is exactly `active`. */
const HEALTH = {
  online: ["active", "active"],
  suspect: ["error", "the runner has been silent for a while"],
  offline: ["error", "the runner is not heard of"],
  never: ["pending", "the runner was never heard of"],
} as const;

/** Baseline: who a runner is, its settings and its heart beats (nuon-runner-api.md 2.1, 2.2, 2.17). */
export function identityRoutes(deps: RunnerApiDeps): Hono {
  const app = new Hono();
  const { store } = deps;

  app.get("/v1/runners/:runner_id/settings", (c) => {
    const runner = runnerAt(store, c);
    return runner.ok ? c.json(settingsDocument(runner.value, publicUrlOf(deps, c))) : runner.error;
  });

  app.get("/v1/runners/:runner_id", (c) => {
    const runner = runnerAt(store, c);
    if (!runner.ok) return runner.error;
    const created = new Date(runner.value.row.created_at).toISOString();
    const [status, description] = HEALTH[store.runners.contact(runner.value)];
    const settings = settingsDocument(runner.value, publicUrlOf(deps, c));
    const group = settings.runner_group_id;
    const made = { created_by_id: "coordinator", created_at: created, updated_at: created };
    return c.json({
      id: runner.value.row.id,
      ...made,
      status,
      status_description: description,
      runner_group_id: group,
      runner_group: { id: group, ...made, settings, type: "install", platform: "local" },
      name: runner.value.row.name,
      display_name: runner.value.row.name,
    });
  });

  app.post("/v1/runners/:runner_id/heart-beats", async (c) => {
    const runner = runnerAt(store, c, "runner: unable to get runner");
    if (!runner.ok) return runner.error;
    const body = await readJson(c, heartBeatRequest);
    if (!body.ok) return body.error;
    const process = body.value.process ?? "";
    const version = body.value.version ?? "";
    const id = runner.value.row.id;
    if (nuonSign(store, id, { process, version })) {
      nuonBeat(store, id, { process, aliveMs: nsToMs(body.value.alive_time) });
    }
    const now = new Date(store.clock.now()).toISOString();
    return c.json(
      {
        id: newId("heartBeat"),
        created_by_id: id,
        created_at: now,
        updated_at: now,
        runner_id: id,
        ...(body.value.alive_time ? { alive_time: body.value.alive_time } : {}),
        ...(version === "" ? {} : { version }),
        process,
      },
      201,
    );
  });

  return app;
}
