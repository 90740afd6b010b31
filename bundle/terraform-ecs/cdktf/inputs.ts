import { TerraformVariable, type TerraformVariableConfig } from "cdktn";
import type { Construct } from "constructs";
import { is } from "./expression.ts";

interface Input {
  readonly type: string;
  readonly description: string;
  /** Left out: required. */
  readonly otherwise?: unknown;
  /** Never shown, and never in the state. */
  readonly ephemeral?: true;
  /** null is no value of it. */
  readonly given?: true;
  readonly rules?: readonly (readonly [condition: string, message: string])[];
}

const ARN = "[a-z0-9-]*:[0-9]*:";
const OPTIONAL = "null: not given.";

/** Every input of the bundle; the first ten are those of Nuon's reference bundle, by their names. */
export const INPUTS = {
  image_url: { type: "string", description: "Repository of the runner's image, without tag or digest." },
  image_tag: {
    type: "string",
    description: "Tag of the image. With image_digest it only says for people what runs.",
    rules: [['var.image_tag != "latest"', 'name a version: "latest" is another program tomorrow']],
  },
  runner_id: {
    type: "string",
    description: "Identity of the runner at its control plane.",
    rules: [['can(regex("^[a-zA-Z0-9_-]{1,64}$", var.runner_id))', "letters, digits, - and _, at most 64"]],
  },
  api_url: {
    type: "string",
    description: "Address of the control plane.",
    rules: [['can(regex("^https://", var.api_url))', "an https:// address: the runner's token goes there"]],
  },
  api_token: {
    type: "string",
    description:
      "Token of the runner: written to a secret of Secrets Manager, and not kept in plan or state. Needed for the first apply and for each new api_token_version. Better: api_token_arn.",
    otherwise: null,
    ephemeral: true,
  },
  api_token_version: {
    type: "number",
    description: "Raise it to write a new api_token.",
    otherwise: 1,
    given: true,
  },
  cluster_arn: {
    type: "string",
    description: "ECS cluster to run in.",
    rules: [[`can(regex("^arn:[a-z-]+:ecs:${ARN}cluster/", var.cluster_arn))`, "the ARN of an ECS cluster"]],
  },
  install_iam_role_arn: {
    type: "string",
    description: `Handed through to the outputs, as in the reference bundle. ${OPTIONAL}`,
    otherwise: null,
  },
  runner_iam_role_arn: {
    type: "string",
    description: "Task role of the runner. null: one is made that may do nothing but take the roles of handler_roles.",
    otherwise: null,
  },
  vpc_id: { type: "string", description: "VPC of the tasks." },
  aws_region: { type: "string", description: "Region of the tasks." },

  api_token_arn: {
    type: "string",
    description: "Secret of Secrets Manager, or parameter of SSM, that holds the token of the runner.",
    otherwise: null,
    rules: [
      [
        `var.api_token_arn == null || can(regex("^arn:[a-z-]+:(secretsmanager:${ARN}secret:|ssm:${ARN}parameter/)", var.api_token_arn))`,
        "the ARN of a secret of Secrets Manager or of a parameter of SSM",
      ],
    ],
  },
  secrets: {
    type: "map(string)",
    description: "Further environment of the runner from secrets: name to ARN (Secrets Manager or SSM).",
    otherwise: {},
  },
  secrets_kms_key_arn: {
    type: "string",
    description: `Key the secrets are encrypted with, when it is one of your own. ${OPTIONAL}`,
    otherwise: null,
  },
  environment: {
    type: "map(string)",
    description: "Further environment of the runner (docs: settings). Nothing secret: it is shown in the console.",
    otherwise: {},
    rules: [
      [
        'length(setintersection(keys(var.environment), ["RUNNER_API_TOKEN", "RUNNER_API_URL", "RUNNER_ID"])) == 0',
        "identity, address and token have inputs of their own",
      ],
    ],
  },
  image_digest: {
    type: "string",
    description: `Digest (sha256:…) the image must have: what runs is then what was looked at. ${OPTIONAL}`,
    otherwise: null,
    rules: [
      [
        'var.image_digest == null || can(regex("^sha256:[0-9a-f]{64}$", var.image_digest))',
        "sha256: and 64 hexadecimal digits",
      ],
    ],
  },
  mode: {
    type: "string",
    description: "Which groups of jobs it works: all, install or org.",
    otherwise: "install",
    rules: [['contains(["all", "install", "org"], var.mode)', "all, install or org"]],
  },
  running: {
    type: "bool",
    description: "false stops the runner and keeps everything else. One task at most runs: an identity is one runner.",
    otherwise: true,
    given: true,
  },
  cpu: { type: "number", description: "CPU units of the task (1024: one vCPU).", otherwise: 1024, given: true },
  memory: { type: "number", description: "Memory of the task in MiB.", otherwise: 4096, given: true },
  ephemeral_storage_gib: {
    type: "number",
    description: "Disk of the task in GiB: workspaces, tools, caches.",
    otherwise: 30,
    rules: [
      ["var.ephemeral_storage_gib >= 21 && var.ephemeral_storage_gib <= 200", "21 to 200: what Fargate can give"],
    ],
  },
  architecture: {
    type: "string",
    description: "X86_64 or ARM64.",
    otherwise: "X86_64",
    rules: [['contains(["X86_64", "ARM64"], var.architecture)', "X86_64 or ARM64"]],
  },
  capacity_providers: {
    type: "map(number)",
    description:
      "Capacity providers and their weights, such as FARGATE or FARGATE_SPOT (a spot task may end in mid-apply).",
    otherwise: { FARGATE: 1 },
    rules: [["length(var.capacity_providers) > 0", "one at least"]],
  },
  subnet_ids: {
    type: "list(string)",
    description: "Subnets of the tasks. Empty: those of the VPC with the tag visibility=private.",
    otherwise: [],
    given: true,
  },
  security_group_ids: {
    type: "list(string)",
    description: "Security groups beside the runner's own, which lets nothing in.",
    otherwise: [],
    given: true,
  },
  egress_cidr_blocks: {
    type: "list(string)",
    description: "Where the runner may connect to, TCP 443 for all of them. Empty with security groups of your own.",
    otherwise: ["0.0.0.0/0"],
    given: true,
  },
  egress_ports: {
    type: "set(number)",
    description: "TCP ports it may connect to.",
    otherwise: [443],
    given: true,
  },
  stop_timeout_seconds: {
    type: "number",
    description:
      "From the order to stop to the kill; the runner drains for 15 s less. Fargate gives 120 at most: longer jobs are kept by task protection (protect_busy_tasks).",
    otherwise: 120,
    rules: [["var.stop_timeout_seconds >= 30 && var.stop_timeout_seconds <= 120", "30 to 120: what Fargate can give"]],
  },
  protect_busy_tasks: {
    type: "bool",
    description: "The runner asks ECS not to stop its task for a deployment while a job runs.",
    otherwise: true,
    given: true,
  },
  handler_roles: {
    type: "map(list(string))",
    description:
      "Roles for the jobs, by handler (terraform, helm, action, …): policies of each. The runner's own role may only take these.",
    otherwise: {},
    given: true,
  },
  permissions_boundary_arn: {
    type: "string",
    description: `Boundary of every role made here. ${OPTIONAL}`,
    otherwise: null,
  },
  log_group_name: {
    type: "string",
    description: "Log group of the runner. null: /runner/RUNNER_ID.",
    otherwise: null,
  },
  log_retention_days: { type: "number", description: "How long its log is kept.", otherwise: 30, given: true },
  log_kms_key_arn: { type: "string", description: `Key of the log group. ${OPTIONAL}`, otherwise: null },
  tags: { type: "map(string)", description: "Tags of everything made here.", otherwise: {}, given: true },
} as const satisfies Record<string, Input>;

export function declareInputs(scope: Construct): void {
  for (const [name, input] of Object.entries<Input>(INPUTS)) {
    const config: TerraformVariableConfig = {
      type: input.type,
      description: input.description,
      ...(input.ephemeral ? { sensitive: true } : {}),
      ...("otherwise" in input && !input.given ? {} : { nullable: false }),
      validation: (input.rules ?? []).map(([condition, message]) => ({
        condition: is(condition),
        errorMessage: `${name}: ${message}.`,
      })),
    };
    const variable = new TerraformVariable(scope, name, config);
    // As it is: the library spells the keys of a default its own way.
    if ("otherwise" in input) variable.addOverride("default", input.otherwise);
    if (input.ephemeral) variable.addOverride("ephemeral", true);
  }
}
