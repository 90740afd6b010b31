import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { type SettingsDoc, settingsDoc, settingsPatch } from "../../../../protocol/runner-wishes.ts";
import { wishReader } from "../../../store/runner-wishes.ts";
import type { Store } from "../../../store/store.ts";
import { changeSettings } from "../../../store/transitions/settings.ts";
import { ADMIN, type OperatorDeps } from "../deps.ts";
import { explained, notFound } from "../problem.ts";
import { answers, idParam, jsonBody, named } from "../schemas.ts";

const tags = ["settings"];
const settings = named(settingsDoc, "Settings");
const body = jsonBody(named(settingsPatch, "SettingsPatch"), true);

const showAll = createRoute({
  method: "get",
  path: "/settings",
  tags,
  summary: "Settings of all runners",
  responses: answers(settings, "The settings"),
});
const changeAll = createRoute({
  method: "patch",
  path: "/settings",
  tags,
  summary: "Change the settings of all runners; they take effect without a restart",
  description: "A value sets a key, null gives it back to what is built in, an absent key stays.",
  request: { body },
  responses: answers(settings, "The settings now"),
});
const showOne = createRoute({
  method: "get",
  path: "/runners/{id}/settings",
  tags,
  summary: "Settings of one runner",
  request: { params: idParam },
  responses: answers(settings, "The settings"),
});
const changeOne = createRoute({
  method: "patch",
  path: "/runners/{id}/settings",
  tags,
  summary: "Change the settings of one runner; they take effect without a restart",
  description: "A value sets a key, null gives it back to the settings of all runners, an absent key stays.",
  request: { params: idParam, body },
  responses: answers(settings, "The settings now"),
});

export const SETTINGS_ROUTES = [showAll, changeAll, showOne, changeOne];

export function settingsRoutes(app: OpenAPIHono, { store }: OperatorDeps): void {
  app.openapi(showAll, (c) => c.json(view(store, null), 200));
  app.openapi(
    changeAll,
    (c) => {
      const { settings: patch, reason = "" } = c.req.valid("json");
      changeSettings(store, { runnerId: null, patch, by: ADMIN, why: reason });
      return c.json(view(store, null), 200);
    },
    explained({ json: settingsPatch }),
  );
  app.openapi(showOne, (c) => {
    const { id } = c.req.valid("param");
    if (!store.runners.get(id)) throw noSuch(id);
    return c.json(view(store, id), 200);
  });
  app.openapi(
    changeOne,
    (c) => {
      const { id } = c.req.valid("param");
      const { settings: patch, reason = "" } = c.req.valid("json");
      if (!changeSettings(store, { runnerId: id, patch, by: ADMIN, why: reason })) throw noSuch(id);
      return c.json(view(store, id), 200);
    },
    explained({ json: settingsPatch }),
  );
}

function view(store: Store, runnerId: string | null): SettingsDoc {
  const wishes = wishReader(store.db)();
  return { runner_id: runnerId, own: wishes.own(runnerId), effective: wishes.effective(runnerId) };
}

const noSuch = (id: string) => notFound(`runner ${id}`, "`runner runners list` shows the ids.");
