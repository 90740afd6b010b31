import { JOB_GROUPS } from "../enums.ts";

/**
 * Words the baseline documents use beside those of ../enums.ts (nuon-runner-api.md section 3). A newer server may send
 * others, so documents take any text; these lists say what is known.
 */
export const IAM_ROLE_TYPES = [
  "runner_provision",
  "runner_deprovision",
  "runner_maintenance",
  "breakglass",
  "runner_breakglass",
] as const;
export const ACCOUNT_TYPES = ["auth0", "service", "canary", "integration"] as const;
export const TRIGGER_TYPES = [
  "manual",
  "cron",
  "pre-deploy-component",
  "post-deploy-component",
  "pre-teardown-component",
  "post-teardown-component",
  "pre-secrets-sync",
  "post-secrets-sync",
  "pre-provision",
  "post-provision",
  "pre-reprovision",
  "post-reprovision",
  "pre-deprovision",
  "post-deprovision",
  "pre-deploy-all-components",
  "post-deploy-all-components",
  "pre-teardown-all-components",
  "post-teardown-all-components",
  "pre-deprovision-sandbox",
  "post-deprovision-sandbox",
  "pre-reprovision-sandbox",
  "post-reprovision-sandbox",
  "pre-update-inputs",
  "post-update-inputs",
] as const;
export const APP_CONFIG_STATUSES = ["active", "pending", "syncing", "error", "outdated"] as const;
export const RUNNER_PLATFORMS = [
  "unknown",
  "aws-ecs",
  "aws-eks",
  "azure-aks",
  "azure-acs",
  "local",
  "aws",
  "azure",
] as const;
export const CLOUD_PLATFORMS = ["aws", "azure", "unknown"] as const;
export const COMPONENT_TYPES = [
  "terraform_module",
  "helm_chart",
  "docker_build",
  "external_image",
  "job",
  "kubernetes_manifest",
  "unknown",
] as const;
export const ACTION_RUN_STATUSES = [
  "finished",
  "queued",
  "in-progress",
  "error",
  "timed-out",
  "cancelled",
  "unknown",
] as const;
export const APPROVAL_OPTIONS = ["approve-all", "prompt"] as const;
export const DEPLOY_TYPES = ["sync-image", "apply", "teardown"] as const;
export const POLICY_NAMES = ["org_admin", "installer", "runner", "hosted_installer"] as const;
export const ROLE_TYPES = ["org_admin", "installer", "runner", "hosted-installer"] as const;
export const RUNNER_GROUP_TYPES = ["install", "org"] as const;
/** `any` stands in queries only, the empty text for a group that is not known. */
export const WIRE_JOB_GROUPS = [...JOB_GROUPS, "", "any"] as const;
export const RUNNER_OPERATION_TYPES = ["provision", "provision_service_account", "reprovision", "deprovision"] as const;
export const RUNNER_STATUSES = [
  "error",
  "active",
  "pending",
  "provisioning",
  "deprovisioning",
  "deprovisioned",
  "reprovisioning",
  "offline",
  "awaiting-install-stack-run",
  "unknown",
] as const;
export const SANDBOX_RUN_TYPES = ["provision", "reprovision", "deprovision"] as const;
export const STACK_TYPES = ["aws-cloudformation"] as const;
export const COMPOSITE_STATUSES = [
  "error",
  "pending",
  "in-progress",
  "checking-plan",
  "success",
  "not-attempted",
  "cancelled",
  "retrying",
  "discarded",
  "user-skipped",
  "auto-skipped",
  "planning",
  "applying",
  "queued",
  "generating",
  "awaiting-user-run",
  "provisioning",
  "active",
  "outdated",
  "expired",
  "approved",
  "drifted",
  "no-drift",
  "approval-expired",
  "approval-denied",
  "approval-retry",
  "building",
  "deleting",
  "noop",
  "approval-awaiting",
] as const;
export const STEP_ERROR_BEHAVIORS = ["abort", "continue"] as const;
export const APPROVAL_TYPES = [
  "noop",
  "approve-all",
  "terraform_plan",
  "kubernetes_manifest_approval",
  "helm_approval",
] as const;
export const STEP_EXECUTION_TYPES = ["system", "user", "approval", "skipped", "hidden"] as const;
export const WORKFLOW_TYPES = [
  "provision",
  "deprovision",
  "deprovision_sandbox",
  "manual_deploy",
  "input_update",
  "deploy_components",
  "teardown_component",
  "teardown_components",
  "reprovision_sandbox",
  "drift_run_reprovision_sandbox",
  "action_workflow_run",
  "sync_secrets",
  "drift_run",
  "app_branches_manual_update",
  "app_branches_config_repo_update",
  "app_branches_component_repo_update",
  "reprovision",
] as const;
export const OCI_REGISTRY_TYPES = ["ecr", "acr", "private_oci", "public_oci"] as const;
export const DIFF_ENTRY_TYPES = [0, 1, 2, 3, 4] as const;
export const PERMISSIONS = ["unknown", "all", "create", "read", "update", "delete"] as const;
export const REF_TYPES = [
  "sandbox",
  "install_stack",
  "component",
  "inputs",
  "install_inputs",
  "secrets",
  "actions",
] as const;
