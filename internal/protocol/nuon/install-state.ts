import { z } from "zod";
import { anyObject, bool, int, laterList, str, stringMap, time } from "./base.ts";

/** The install state that a terraform plan document carries for templates; nothing in it is needed to run the plan. */
const orgState = z.looseObject({
  id: str,
  name: str,
  populated: bool,
  status: str,
});

const appState = z.looseObject({
  id: str,
  name: str,
  populated: bool,
  status: str,
  variables: stringMap,
});

const sandboxState = z.looseObject({
  outputs: z.unknown(),
  populated: bool,
  recent_runs: laterList((): z.core.SomeType => sandboxState),
  status: str,
  type: str,
  version: str,
});

const inputsState = z.looseObject({
  inputs: stringMap,
  populated: bool,
});

const actionWorkflowState = z.looseObject({
  id: str,
  outputs: z.unknown(),
  populated: bool,
  status: str,
});

const actionsState = z.looseObject({
  populated: bool,
  workflows: z.record(z.string(), actionWorkflowState).nullish(),
});

const runnerState = z.looseObject({
  id: str,
  populated: bool,
  runner_group_id: str,
  status: str,
});

const domainState = z.looseObject({
  internal_domain: str,
  populated: bool,
  public_domain: str,
});

const awsAccount = z.looseObject({
  region: str,
});

const azureAccount = z.looseObject({
  location: str,
});

const cloudAccount = z.looseObject({
  aws: awsAccount.nullish(),
  azure: azureAccount.nullish(),
});

const installStackState = z.looseObject({
  checksum: str,
  outputs: stringMap,
  populated: bool,
  quick_link_url: str,
  status: str,
  template_json: str,
  template_url: str,
});

const installPartState = z.looseObject({
  id: str,
  inputs: stringMap,
  internal_domain: str,
  name: str,
  populated: bool,
  public_domain: str,
  sandbox: sandboxState.nullish(),
});

const componentState = z.looseObject({
  build_id: str,
  component_id: str,
  install_component_id: str,
  name: str,
  outputs: anyObject.nullish(),
  populated: bool,
  status: str,
});

/** What the sync of a secret found, by the secret's name; its value never is in it. */
const syncedSecret = z.looseObject({
  name: str,
  arn: str,
  kubernetes_namespace: str,
  kubernetes_name: str,
  kubernetes_key: str,
  timestamp: str,
  length: int,
  exists: bool,
});

export const installState = z.looseObject({
  actions: actionsState.nullish(),
  app: appState.nullish(),
  cloud_account: cloudAccount.nullish(),
  components: z.record(z.string(), componentState).nullish(),
  domain: domainState.nullish(),
  id: str,
  inputs: inputsState.nullish(),
  install: installPartState.nullish(),
  install_stack: installStackState.nullish(),
  name: str,
  org: orgState.nullish(),
  runner: runnerState.nullish(),
  sandbox: sandboxState.nullish(),
  secrets: z.record(z.string(), syncedSecret.nullable()).nullish(),
  stale_at: time,
});
