import { z } from "zod";
import type { Http } from "../../kit/http/http.ts";
import type { StateBackend } from "../handler.ts";
import { createNuonClient } from "./nuon/client.ts";

/** How a dialect authenticates terraform and itself for one execution's state. */
export interface StateAccess {
  readonly http: Http;
  /** Address terraform dials, with a base path when there is one; no trailing slash. */
  readonly url: string;
  readonly jobId: string;
  readonly executionId: string;
  /** Basic credentials in TF_HTTP_*, or a token in the query for servers that know no other way. */
  readonly auth: { readonly username: string; readonly password: string } | { readonly token: () => string };
  readonly ca: string | undefined;
}

/** Absent: this server does not show its locks. */
const lockedWorkspace = z.looseObject({
  lock: z
    .looseObject({
      ID: z.string(),
      execution_id: z.string().nullable(),
      job_id: z.string().nullish(),
      Who: z.string().nullish(),
      Operation: z.string().nullish(),
      locked_at: z.string().nullish(),
    })
    .nullable()
    .optional(),
});

const stateHead = z.looseObject({ serial: z.number().int(), lineage: z.string() });

/** Rides out an outage of about two minutes; terraform's default gives up after six seconds. */
const TERRAFORM_RETRIES = "8";

/** The http state backend of one execution (nuon-runner-api.md 2.12): every setting in the environment, none on disk. */
export function terraformState(access: StateAccess): StateBackend {
  const { http, jobId, executionId, auth } = access;
  const basic = "username" in auth ? Buffer.from(`${auth.username}:${auth.password}`).toString("base64") : null;
  const headers = basic === null ? {} : { Authorization: `Basic ${basic}` };
  const api = createNuonClient(http);

  /** null: free. undefined: this server does not show its locks, or cannot be asked. */
  async function lockOf(workspaceId: string) {
    const found = await api.call("GetTerraformWorkspace", { path: { workspace_id: workspaceId } });
    return found.ok ? lockedWorkspace.safeParse(found.value.value).data?.lock : undefined;
  }

  async function unlockOwn(workspaceId: string): Promise<void> {
    const lock = await lockOf(workspaceId);
    if (lock !== undefined && lock?.execution_id !== executionId) return;
    // A server that does not show its locks frees whatever is there: the caller knows that it may hold one.
    const json = lock ? { ID: lock.ID } : {};
    const path = { workspace_id: workspaceId };
    const done = await api.call("UnlockTerraformWorkspace", { path, query: { job_id: jobId }, headers, json });
    if (!done.ok) throw done.error;
  }

  /** Without a lock id: accepted while nobody holds the lock (DESIGN section 4, invariant 5). */
  const postState = (workspaceId: string, state: Uint8Array) =>
    api.call("UpdateTerraformState", {
      path: {},
      query: { workspace_id: workspaceId, job_id: jobId },
      headers,
      bytes: state,
    });

  return {
    unlockOwn,
    async head(workspaceId) {
      const query = { workspace_id: workspaceId, job_id: jobId };
      const found = await api.call("GetTerraformCurrentStateData", { path: {}, query, headers });
      if (!found.ok) throw found.error;
      const text = found.value.value;
      return text.trim() === "" ? null : stateHead.parse(JSON.parse(text));
    },
    async lockHolder(workspaceId) {
      const lock = await lockOf(workspaceId);
      if (!lock) return null;
      const { job_id: jobId, Who: who, Operation: operation, locked_at: since } = lock;
      return { jobId: jobId ?? null, who: who ?? "", operation: operation ?? "", since: since ?? "" };
    },
    terraformEnv: (workspaceId) => terraformEnv(access, workspaceId),
    async putStateJson(workspaceId, json) {
      const done = await api.call("UpdateTerraformStateJSON", {
        path: { workspace_id: workspaceId },
        query: { job_id: jobId },
        headers,
        // Servers read a JSON string that holds base64 (nuon-handlers.md 4.4), not the document itself.
        json: Buffer.from(json).toString("base64"),
      });
      if (!done.ok) throw done.error;
    },
    async pushErrored(workspaceId, state) {
      const first = await postState(workspaceId, state);
      if (first.ok) return true;
      if (first.error.status !== 409 && first.error.status !== 423) return false;
      // The dead terraform of this execution may still hold the lock: free it if it is ours, then try once more.
      await unlockOwn(workspaceId).catch(() => undefined);
      return (await postState(workspaceId, state)).ok;
    },
  };
}

function terraformEnv(access: StateAccess, workspaceId: string): Record<string, string> {
  const { url, jobId, auth, ca } = access;
  const workspacePath = `/v1/terraform-workspaces/${encodeURIComponent(workspaceId)}`;
  const token: Record<string, string> = "token" in auth ? { token: auth.token() } : {};
  const query = (more: Record<string, string>) => new URLSearchParams({ ...token, ...more, job_id: jobId }).toString();
  return {
    TF_HTTP_ADDRESS: `${url}/v1/terraform-backend?${query({ workspace_id: workspaceId })}`,
    TF_HTTP_LOCK_ADDRESS: `${url}${workspacePath}/lock?${query({})}`,
    TF_HTTP_UNLOCK_ADDRESS: `${url}${workspacePath}/unlock?${query({})}`,
    TF_HTTP_UPDATE_METHOD: "POST",
    TF_HTTP_LOCK_METHOD: "POST",
    TF_HTTP_UNLOCK_METHOD: "POST",
    TF_HTTP_RETRY_MAX: TERRAFORM_RETRIES,
    ...("username" in auth ? { TF_HTTP_USERNAME: auth.username, TF_HTTP_PASSWORD: auth.password } : {}),
    ...(ca === undefined ? {} : { TF_HTTP_CLIENT_CA_CERTIFICATE_PEM: ca }),
  };
}
