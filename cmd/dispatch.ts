import type { CommandName } from "../internal/config/commands.ts";
import type { Command } from "./lib/context.ts";

/** Every command's file, loaded when it is called: `version` must not pay for the coordinator. */
export const DISPATCH: Readonly<Record<CommandName, () => Promise<Command>>> = {
  up: async () => (await import("./up.ts")).up,
  run: async () => (await import("./run.ts")).run,
  "run-local": async () => (await import("./run-local.ts")).runLocal,
  coordinator: async () => (await import("./coordinator.ts")).coordinator,
  "job submit": async () => (await import("./job-submit.ts")).jobSubmit,
  "job list": async () => (await import("./job.ts")).jobList,
  "job show": async () => (await import("./job.ts")).jobShow,
  "job logs": async () => (await import("./job-logs.ts")).jobLogs,
  "job cancel": async () => (await import("./job.ts")).jobCancel,
  "job retry": async () => (await import("./job.ts")).jobRetry,
  "job approve": async () => (await import("./job.ts")).jobApprove,
  "job reject": async () => (await import("./job.ts")).jobReject,
  "runners list": async () => (await import("./runners.ts")).runnersList,
  "runners show": async () => (await import("./runners.ts")).runnersShow,
  "runners create": async () => (await import("./runners.ts")).runnersCreate,
  "runners delete": async () => (await import("./runners.ts")).runnersDelete,
  "runners rotate": async () => (await import("./runners.ts")).runnersRotate,
  "runners drain": async () => (await import("./runners.ts")).runnersDrain,
  "workspaces list": async () => (await import("./workspaces.ts")).workspacesList,
  "workspaces show": async () => (await import("./workspaces.ts")).workspacesShow,
  "workspaces unlock": async () => (await import("./workspaces.ts")).workspacesUnlock,
  doctor: async () => (await import("./doctor.ts")).doctor,
  config: async () => (await import("./config.ts")).config,
  explain: async () => (await import("./explain.ts")).explain,
  completion: async () => (await import("./completion.ts")).completion,
  version: async () => (await import("./version.ts")).version,
};
