import { z } from "zod";
import {
  jobDoc,
  jobShow,
  runnerCreate,
  runnerCreated,
  runnerDoc,
  submitted,
  workCounts,
  workspaceDoc,
} from "../../../protocol/operator.ts";
import type { ApiClient } from "./client.ts";

/** Jobs on one page of the list. */
export const JOBS_PAGE = 100;

/** Every path of the operator API that the page uses, in one place. */
export const paths = {
  runners: "/runners",
  job: (id: string) => `/jobs/${encodeURIComponent(id)}`,
  plan: (id: string) => `${paths.job(id)}/plan`,
  logStream: (id: string) => `${paths.job(id)}/logs/stream`,
  logText: (id: string) => `${paths.job(id)}/logs?format=text`,
  logSearch: (id: string, text: string, to: number) =>
    `${paths.job(id)}/logs/search?${new URLSearchParams({ q: text, to: String(to), limit: "10000" })}`,
  logLines: (id: string, from: number, count: number) => `${paths.job(id)}/logs/lines?from=${from}&count=${count}`,
  events: "/events/stream",
  workspaces: "/workspaces",
};

export const lists = {
  runners: z.array(runnerDoc),
  jobs: z.array(jobDoc),
  counts: workCounts,
  job: jobShow,
  workspaces: z.array(workspaceDoc),
};

/** Same rule as the server's, so that a wrong name is named while it is typed. */
export function runnerNameProblem(name: string): string | null {
  const checked = runnerCreate.shape.name.safeParse(name);
  return checked.success ? null : `Use ${checked.error.issues[0]?.message ?? "another name"}.`;
}

export function createOperations(api: ApiClient) {
  return {
    createRunner: (name: string) => api.sendFor("POST", paths.runners, runnerCreated, { name }),
    drainRunner: (id: string) => api.send("POST", `/runners/${encodeURIComponent(id)}/drain`),
    deleteRunner: (id: string) => api.send("DELETE", `/runners/${encodeURIComponent(id)}`),
    cancelJob: (id: string, why: string) => api.send("POST", `${paths.job(id)}/cancel`, because(why)),
    retryJob: (id: string) => api.sendFor("POST", `${paths.job(id)}/retry`, submitted),
    approve: (id: string, why: string) => api.send("POST", `${paths.job(id)}/approve`, because(why)),
    reject: (id: string, why: string) => api.send("POST", `${paths.job(id)}/reject`, because(why)),
    /** Frees exactly this lock. Refused as a conflict while its holder is alive, unless `force`. */
    unlock: (workspace: string, lockId: string, force: boolean) =>
      api.send("POST", `/workspaces/${encodeURIComponent(workspace)}/unlock`, { lock_id: lockId, force }),
  };
}
export type Operations = ReturnType<typeof createOperations>;

function because(why: string): { reason?: string } {
  return why === "" ? {} : { reason: why };
}
