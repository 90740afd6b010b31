import type { Http } from "../../kit/http/http.ts";
import type { ReleaseStore } from "../handler.ts";
import { createNuonClient } from "./nuon/client.ts";

/**
 * Helm's release storage over the runner API (nuon-runner-api.md 2.16). Single revisions are looked up in the list: a
 * real Nuon server answers 500 for one that is missing. Its 400 `duplicate key` means that there is one already.
 */
export function helmReleases(
  http: Http,
  basic: { readonly username: string; readonly password: string } | null,
): ReleaseStore {
  const api = createNuonClient(http);
  const headers: Record<string, string> =
    basic === null
      ? {}
      : { Authorization: `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString("base64")}` };
  const pathOf = ({ chartId, namespace, key }: { chartId: string; namespace: string; key: string }) => ({
    helm_chart_id: chartId,
    namespace,
    key,
  });
  return {
    async list({ chartId, namespace }, name) {
      const path = { helm_chart_id: chartId, namespace };
      const found = await api.call("QueryHelmRelease", { path, query: { name, owner: "helm" }, headers });
      if (found.ok) return found.value.value ?? [];
      if (found.error.status === 404) return [];
      throw found.error;
    },
    async create(at, release) {
      const made = await api.call("CreateHelmRelease", { path: pathOf(at), json: release, headers });
      if (made.ok) return true;
      const { status, message } = made.error;
      if (status === 409 || (status === 400 && /duplicate key/i.test(message))) return false;
      throw made.error;
    },
    async update(at, release) {
      const done = await api.call("UpdateHelmRelease", { path: pathOf(at), json: release, headers });
      if (!done.ok) throw done.error;
    },
    async remove(at) {
      const done = await api.call("DeleteHelmRelease", { path: pathOf(at), headers });
      if (!done.ok && done.error.status !== 404) throw done.error;
    },
  };
}
