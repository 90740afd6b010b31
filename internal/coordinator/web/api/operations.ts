import { z } from "zod";
import {
  jobDoc,
  jobShow,
  runnerCreate,
  runnerCreated,
  runnerDoc,
  submitted,
  workspaceDoc,
} from "../../../protocol/operator.ts";
import type { ApiClient } from "./client.ts";

/** Every path of the operator API that the page uses, in one place. */
export const paths = {
  runners: "/runners",
  jobs: "/jobs",
  job: (id: string) => `/jobs/${encodeURIComponent(id)}`,
  logStream: (id: string) => `${paths.job(id)}/logs/stream`,
  logText: (id: string) => `${paths.job(id)}/logs?format=text`,
  events: "/events/stream",
  workspaces: "/workspaces",
};

export const lists = {
  runners: z.array(runnerDoc),
  jobs: z.array(jobDoc),
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
    cancelJob: (id: string, why: string) => api.send("POST", `${paths.job(id)}/cancel`, reason(why)),
    retryJob: (id: string) => api.sendFor("POST", `${paths.job(id)}/retry`, submitted),
    approve: (id: string, why: string) => api.send("POST", `${paths.job(id)}/approve`, reason(why)),
    reject: (id: string, why: string) => api.send("POST", `${paths.job(id)}/reject`, reason(why)),
    unlock: (workspace: string) => api.send("POST", `/workspaces/${encodeURIComponent(workspace)}/unlock`),
  };
}
export type Operations = ReturnType<typeof createOperations>;

function reason(why: string): { why?: string } {
  return why === "" ? {} : { why };
}
