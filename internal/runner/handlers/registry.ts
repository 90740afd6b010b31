import { JOB_TYPES, type JobType } from "../../protocol/enums.ts";
import type { Handler } from "../handler.ts";
import { actionsWorkflow } from "./actions/actions-workflow.ts";
import { container } from "./container/container.ts";
import { helmChartDeploy } from "./helm/helm-chart-deploy.ts";
import { kubejob } from "./kubejob/kubejob.ts";
import { restartRunner, shutDownMachine, shutDownManagement, updateRunner } from "./management.ts";
import { manifestDeploy } from "./manifest/manifest-deploy.ts";
import { notBuilt } from "./not-built.ts";
import { healthCheck, noop, shutDown, updateVersion } from "./operations.ts";
import { sandboxOnly } from "./sandbox-only.ts";
import { script } from "./script/script.ts";
import { terraformDeploy } from "./terraform/terraform-deploy.ts";

const built = {
  "actions-workflow": actionsWorkflow,
  script,
  container,
  "job-deploy": kubejob,
  "kubernetes-manifest-deploy": manifestDeploy,
  "terraform-deploy": terraformDeploy,
  "helm-chart-deploy": helmChartDeploy,
  "health-check": healthCheck,
  noop,
  "noop-deploy": noop,
  "shut-down": shutDown,
  "update-version": updateVersion,
  "mng-shut-down": shutDownManagement,
  "mng-vm-shut-down": shutDownMachine,
  "mng-runner-update-version": updateRunner,
  "mng-runner-restart": restartRunner,
} satisfies Partial<Record<JobType, Handler>>;

const pretended = [
  "sandbox-terraform",
  "sandbox-terraform-plan",
  "sandbox-sync-secrets",
  "docker-build",
  "container-image-build",
  "helm-chart-build",
  "terraform-module-build",
  "kubernetes-manifest-build",
  "noop-build",
  "oci-sync",
  "noop-sync",
] as const satisfies readonly JobType[];
const planned = sandboxOnly(pretended);
const later = notBuilt(JOB_TYPES.filter((type) => !(type in built || pretended.some((one) => one === type))));

/** Job type → handler, for every type of the protocol: one that is missing here fails the build. */
export const registry = {
  ...built,
  "sandbox-terraform": planned,
  "sandbox-terraform-plan": planned,
  "sandbox-sync-secrets": planned,
  "docker-build": planned,
  "container-image-build": planned,
  "helm-chart-build": planned,
  "terraform-module-build": planned,
  "kubernetes-manifest-build": planned,
  "noop-build": planned,
  "oci-sync": planned,
  "noop-sync": planned,
  "runner-helm": later,
  "runner-terraform": later,
  "runner-local": later,
} satisfies Record<JobType, Handler>;
