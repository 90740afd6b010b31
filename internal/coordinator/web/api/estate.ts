import { z } from "zod";
import {
  jobDoc,
  runnerCreated,
  runnerDoc,
  stateDiff,
  stateDoc,
  submitted,
  workspaceDoc,
} from "../../../protocol/operator.ts";
import { settingsDoc, type WishesPatch } from "../../../protocol/runner-wishes.ts";
import type { ApiClient } from "./client.ts";

/** What is there for longer than a job: runners, workspaces and their states. */
export const estate = {
  runner: (id: string) => `/runners/${encodeURIComponent(id)}`,
  /** What this runner works on now. */
  runnerWork: (id: string) => `/jobs?${new URLSearchParams({ runner: id, status: WORKING, limit: "100" })}`,
  settings: (id: string) => `${estate.runner(id)}/settings`,
  workspace: (name: string) => `/workspaces/${encodeURIComponent(name)}`,
  states: (name: string) => `${estate.workspace(name)}/states`,
  state: (name: string, serial: number) => `${estate.states(name)}/${serial}`,
  stateDiff: (name: string, from: string, to: string) =>
    `${estate.states(name)}/${encodeURIComponent(to)}/diff?${new URLSearchParams({ from })}`,
  stateJson: (name: string) => `${estate.workspace(name)}/state-json`,
};

/** Statuses of what a runner has in its hands. */
const WORKING = "in-progress,planning,applying";

export const estateDocs = {
  runner: runnerDoc,
  settings: settingsDoc,
  work: z.array(jobDoc),
  workspace: workspaceDoc,
  states: z.array(stateDoc),
  stateDiff,
};

export const rotateToken = (api: ApiClient, id: string) =>
  api.sendFor("POST", `${estate.runner(id)}/rotate`, runnerCreated);

export const restoreState = (api: ApiClient, name: string, serial: number, why: string) =>
  api.sendFor("POST", `${estate.workspace(name)}/restore`, stateDoc, { serial, why });

export const checkDrift = (api: ApiClient, name: string) =>
  api.sendFor("POST", `${estate.workspace(name)}/drift`, submitted);

/** Changes only what is in `patch`; null gives a setting back to those of all runners. */
export const changeSettings = (api: ApiClient, id: string, patch: WishesPatch, why: string) =>
  api.sendFor("PATCH", estate.settings(id), settingsDoc, {
    settings: patch,
    ...(why === "" ? {} : { reason: why }),
  });
