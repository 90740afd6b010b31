import { JOB_TYPES, type JobType } from "../../protocol/enums.ts";
import type { Handler } from "../handler.ts";
import { actionsWorkflow } from "./actions/actions-workflow.ts";
import { notBuilt } from "./not-built.ts";
import { healthCheck, noop, shutDown } from "./operations.ts";
import { script } from "./script/script.ts";
import { terraformDeploy } from "./terraform/terraform-deploy.ts";

const built = {
  "actions-workflow": actionsWorkflow,
  script,
  "terraform-deploy": terraformDeploy,
  "health-check": healthCheck,
  noop,
  "noop-deploy": noop,
  "shut-down": shutDown,
} satisfies Partial<Record<JobType, Handler>>;

const later = notBuilt(JOB_TYPES.filter((type) => !(type in built)));

/** Job type → handler, for every type of the protocol: one that is missing here fails the build. */
export const registry = {
  ...built,
  container: later,
  "helm-chart-deploy": later,
  "kubernetes-manifest-deploy": later,
  "job-deploy": later,
  "sandbox-terraform": later,
  "sandbox-terraform-plan": later,
  "sandbox-sync-secrets": later,
  "docker-build": later,
  "container-image-build": later,
  "helm-chart-build": later,
  "terraform-module-build": later,
  "kubernetes-manifest-build": later,
  "noop-build": later,
  "oci-sync": later,
  "noop-sync": later,
  "runner-helm": later,
  "runner-terraform": later,
  "runner-local": later,
  "update-version": later,
  "mng-shut-down": later,
  "mng-vm-shut-down": later,
  "mng-runner-update-version": later,
  "mng-runner-restart": later,
} satisfies Record<JobType, Handler>;
