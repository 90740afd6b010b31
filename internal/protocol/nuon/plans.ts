import { z } from "zod";
import { anyObject, bool, foldedObject, int, ns, str, stringMap, word } from "./base.ts";
import { installState } from "./install-state.ts";
import { OCI_REGISTRY_TYPES } from "./words.ts";

/**
 * Plan documents (nuon-handlers.md section 2): the text of GET plan is exactly one of these. Registry, backend and hook
 * blocks have Go's capitalised keys; byte fields are standard base64.
 */
export const gitSource = foldedObject({
  url: str,
  ref: str,
  path: str,
  recurse_submodules: bool,
  /** Ours: lines of a known_hosts file, for ssh. */
  known_hosts: str,
});

export const awsStatic = foldedObject({ access_key_id: str, secret_access_key: str, session_token: str });
export const awsAuth = foldedObject({
  profile: str,
  use_default: bool,
  region: str,
  cache_id: str,
  static: awsStatic.nullish(),
  assume_role: foldedObject({
    role_arn: str,
    session_name: str,
    session_duration_seconds: int,
    use_github_oidc: bool,
    two_step_config: foldedObject({
      iam_role_arn: str,
      src_iam_role_arn: str,
      src_static_credentials: awsStatic.nullish(),
    }).nullish(),
  }).nullish(),
});
export const azureAuth = foldedObject({
  use_default: bool,
  service_principal: foldedObject({ subscription_id: str, subscription_tenant_id: str }).nullish(),
});

/** Ours: Google's default credentials of the runner's machine, or the text of a key file. */
export const gcpAuth = foldedObject({ use_default: bool, credentials_json: str });

export type AwsAuth = z.infer<typeof awsAuth>;
export type AzureAuth = z.infer<typeof azureAuth>;
export type GcpAuth = z.infer<typeof gcpAuth>;

/** Empty while the destination is not known yet. */
const REGISTRY_TYPES = [...OCI_REGISTRY_TYPES, ""];

export const ociRegistry = foldedObject({
  Plugin: str,
  RegistryType: word(REGISTRY_TYPES),
  Region: str,
  ECRAuth: awsAuth.nullish(),
  ACRAuth: azureAuth.nullish(),
  OCIAuth: foldedObject({ Username: str, Password: str }).nullish(),
  Repository: str,
  LoginServer: str,
});
export type OciRegistry = z.infer<typeof ociRegistry>;

export const clusterInfo = foldedObject({
  id: str,
  endpoint: str,
  ca_data: str,
  env_vars: stringMap,
  kube_config: str,
  aws_auth: awsAuth.nullish(),
  azure_auth: azureAuth.nullish(),
  inline: bool,
  trusted_role_arn: str,
  /** Ours: the cluster is one of Google's. */
  gcp_auth: gcpAuth.nullish(),
});
export type ClusterInfo = z.infer<typeof clusterInfo>;

export const sandboxMode = foldedObject({
  enabled: bool,
  outputs: anyObject.nullish(),
  terraform: foldedObject({
    state_json: str,
    workspace_id: str,
    plan_contents: str,
    plan_display_contents: str,
  }).nullish(),
  helm: foldedObject({ plan_contents: str, plan_display_contents: str }).nullish(),
  kubernetes_manifest: foldedObject({ plan_contents: str, plan_display_contents: str }).nullish(),
});

export const terraformDeployBlock = foldedObject({
  /** Ours: `tofu`; absent: terraform. The version stands in the app config for both. */
  tool: str,
  /** Ours: stack of a source with a `cdktf.json`; absent: the only one. */
  stack: str,
  /** Ours: the plan is one of a teardown, so that hooks of that name run around its apply. */
  destroy: bool,
  vars: anyObject.nullish(),
  env_vars: stringMap,
  /** File contents, JSON or tfvars text; they override `vars`. */
  vars_files: z.array(z.string()).nullish(),
  terraform_backend: foldedObject({ WorkspaceID: str }).nullish(),
  azure_auth: azureAuth.nullish(),
  aws_auth: awsAuth.nullish(),
  hooks: foldedObject({ Enabled: bool, EnvVars: stringMap, RunAuth: awsAuth.nullish() }).nullish(),
  cluster_info: clusterInfo.nullish(),
  policies: stringMap,
  state: installState.nullish(),
  plan_json: str,
});

const helmDeployBlock = foldedObject({
  cluster_info: clusterInfo.nullish(),
  name: str,
  namespace: str,
  create_namespace: bool,
  storage_driver: str,
  helm_chart_id: str,
  values_files: z.array(z.string()).nullish(),
  /** Ours: `literal`, the value is meant as it stands; absent: it is read by the grammar of `helm --set`. */
  values: z.array(foldedObject({ name: str, value: str, type: str, literal: bool })).nullish(),
  take_ownership: bool,
  /** Ours: what a job file can ask of helm beyond Nuon's own plans. Absent: as those are meant. */
  runner_options: foldedObject({
    /** Exact version of helm; empty: any. */
    version: str,
    wait: bool,
    wait_for_jobs: bool,
    /** Nanoseconds; 0: four fifths of the job's timeout. */
    wait_timeout: ns,
    rollback_on_failure: bool,
    force_conflicts: bool,
    no_hooks: bool,
    history_limit: int,
    recover_pending: bool,
  }).nullish(),
});
export type HelmDeployBlock = z.infer<typeof helmDeployBlock>;

const kubernetesManifestBlock = foldedObject({
  cluster_info: clusterInfo.nullish(),
  namespace: str,
  manifest: str,
  oci_artifact: foldedObject({ url: str, tag: str, digest: str }).nullish(),
  /** Ours: what a job file can ask for beyond Nuon's own plans. Absent: as those are meant. */
  runner_options: foldedObject({
    /** Name under which the cluster remembers what was applied; empty: it does not. */
    set: str,
    /** Remove what the last apply of the set made and this manifest does not contain. */
    prune: bool,
    /** Take fields that another manager owns. */
    force_conflicts: bool,
    /** How long everything may take to become ready, or to go; nanoseconds. 0: an apply is not waited for. */
    wait_timeout: ns,
    /** `Foreground`, `Background` or `Orphan`; empty: foreground. */
    propagation: str,
  }).nullish(),
});
export type KubernetesManifestBlock = z.infer<typeof kubernetesManifestBlock>;

/** Ours: a Kubernetes Job to run to its end (`job-deploy`). */
const kubernetesJobBlock = foldedObject({
  cluster_info: clusterInfo.nullish(),
  /** Empty: that of the cluster's access. */
  namespace: str,
  /** `batch/v1` Job; the runner names and labels it. */
  job: anyObject,
  /** Of the first container. */
  env_vars: stringMap,
  /** The same, by a Secret that lives as long as the Job. */
  secret_env_vars: stringMap,
  /** How long it may fail to start; 0: the default. */
  start_timeout: ns,
  /** How long it stays when it has ended; 0: not at all. */
  keep: ns,
});
export type KubernetesJobBlock = z.infer<typeof kubernetesJobBlock>;

export const deployPlan = foldedObject({
  install_id: str,
  app_id: str,
  app_config_id: str,
  component_id: str,
  component_name: str,
  src_registry: ociRegistry.nullish(),
  src_tag: str,
  /** Ours: folder of the module inside the artifact (job file `root` and `path`); absent: its top. */
  src_path: str,
  /** Ours: a repository in place of src_registry and src_tag; the module lies in its path. */
  src_git: gitSource.nullish(),
  /** What the plan job's result stored, standard base64 (readers also take URL-safe and unpadded). */
  apply_plan_contents: str,
  apply_plan_display: str,
  helm: helmDeployBlock.nullish(),
  terraform: terraformDeployBlock.nullish(),
  kubernetes_manifest: kubernetesManifestBlock.nullish(),
  kubernetes_job: kubernetesJobBlock.nullish(),
  noop: anyObject.nullish(),
  sandbox_mode: sandboxMode.nullish(),
});
export type DeployPlan = z.infer<typeof deployPlan>;

export const actionPlanStep = foldedObject({
  /** The run step's id (PUT …/steps/{run_id}). */
  run_id: str,
  attrs: stringMap,
  interpolated_env_vars: stringMap,
  git_source: gitSource.nullish(),
  interpolated_inline_contents: str,
  interpolated_command: str,
  /** Ours: a packed folder in the coordinator's `/v2/`, instead of a git source. */
  source: foldedObject({
    registry: ociRegistry,
    tag: z.string(),
    /** Folder inside the artifact to work in (job file `root` and `path`); absent: its top. */
    path: str,
  }).nullish(),
});

export const actionWorkflowRunPlan = foldedObject({
  id: str,
  install_id: str,
  attrs: stringMap,
  steps: z.array(actionPlanStep).nullish(),
  builtin_env_vars: stringMap,
  override_env_vars: stringMap,
  cluster_info: clusterInfo.nullish(),
  aws_auth: awsAuth.nullish(),
  sandbox_mode: sandboxMode.nullish(),
});
export type ActionWorkflowRunPlan = z.infer<typeof actionWorkflowRunPlan>;
