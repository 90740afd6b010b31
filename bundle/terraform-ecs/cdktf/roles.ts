import { IamRole } from "@cdktn/provider-aws/lib/iam-role/index.js";
import { IamRolePolicy } from "@cdktn/provider-aws/lib/iam-role-policy/index.js";
import { IamRolePolicyAttachment } from "@cdktn/provider-aws/lib/iam-role-policy-attachment/index.js";
import type { Construct } from "constructs";
import { policy, type Raw, raw, text, when } from "./expression.ts";

const assumedBy = (principal: Record<string, string | Raw>, condition?: Record<string, string>): string =>
  policy({
    Effect: "Allow",
    Action: "sts:AssumeRole",
    Principal: principal,
    ...(condition ? { Condition: { StringEquals: condition } } : {}),
  });

/** ECS itself, and only for this account: no other account's task may be made to take the role. */
const TASKS = assumedBy(
  { Service: "ecs-tasks.amazonaws.com" },
  { "aws:SourceAccount": "${data.aws_caller_identity.current.account_id}" },
);

const made = { permissionsBoundary: text("var.permissions_boundary_arn") };

/** What ECS does before the container runs: the image, its log, the secrets named, and nothing else. */
export function executionRole(scope: Construct): void {
  new IamRole(scope, "execution", {
    namePrefix: text('substr("${var.runner_id}-execution-", 0, 38)'),
    description: "Starts the task of runner ${var.runner_id}",
    assumeRolePolicy: TASKS,
    ...made,
  });
  new IamRolePolicy(scope, "execution_policy", {
    name: "start",
    role: text("aws_iam_role.execution.id"),
    policy: policy(
      {
        Sid: "Log",
        Effect: "Allow",
        Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
        Resource: "${aws_cloudwatch_log_group.runner.arn}:log-stream:*",
      },
      { Sid: "RegistryLogin", Effect: "Allow", Action: "ecr:GetAuthorizationToken", Resource: "*" },
      {
        Sid: "Image",
        Effect: "Allow",
        Action: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        Resource: "arn:${data.aws_partition.current.partition}:ecr:*:*:repository/*",
      },
    ),
  });
  // A document of its own: IAM refuses a statement without resources, and there may be none of one kind.
  const secrets = { manager: ["secretsmanager", "GetSecretValue"], parameters: ["ssm", "GetParameters"] } as const;
  for (const [name, [service, action]] of Object.entries(secrets)) {
    new IamRolePolicy(scope, `execution_${name}`, {
      count: when(`length(local.${name}) > 0`),
      name: `secrets-${name}`,
      role: text("aws_iam_role.execution.id"),
      policy: policy({ Effect: "Allow", Action: `${service}:${action}`, Resource: raw(`local.${name}`) }),
    });
  }
  new IamRolePolicy(scope, "execution_key", {
    count: when("var.secrets_kms_key_arn != null"),
    name: "secrets-key",
    role: text("aws_iam_role.execution.id"),
    policy: policy({ Effect: "Allow", Action: "kms:Decrypt", Resource: raw("var.secrets_kms_key_arn") }),
  });
}

/** The runner's own: it may take the roles of its handlers and protect its task, no more. */
export function taskRole(scope: Construct): void {
  new IamRole(scope, "task", {
    count: when("var.runner_iam_role_arn == null"),
    namePrefix: text('substr("${var.runner_id}-task-", 0, 38)'),
    description: "Runner ${var.runner_id}",
    assumeRolePolicy: TASKS,
    ...made,
  });
  new IamRolePolicy(scope, "task_roles", {
    count: when("var.runner_iam_role_arn == null && length(var.handler_roles) > 0"),
    name: "roles-of-handlers",
    role: text("aws_iam_role.task[0].id"),
    policy: policy({
      Effect: "Allow",
      Action: ["sts:AssumeRole", "sts:TagSession"],
      Resource: raw("[for role in aws_iam_role.handler : role.arn]"),
    }),
  });
  new IamRolePolicy(scope, "task_protection", {
    count: when("var.runner_iam_role_arn == null && var.protect_busy_tasks"),
    name: "protect-its-task",
    role: text("aws_iam_role.task[0].id"),
    policy: policy({
      Effect: "Allow",
      Action: ["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"],
      Resource: "*",
      Condition: { ArnEquals: { "ecs:cluster": raw("var.cluster_arn") } },
    }),
  });
}

/** One role for the jobs of a handler, which only this runner may take. */
export function handlerRoles(scope: Construct): void {
  const role = new IamRole(scope, "handler", {
    namePrefix: text('substr("${var.runner_id}-${each.key}-", 0, 38)'),
    description: "Jobs of ${each.key} on runner ${var.runner_id}",
    assumeRolePolicy: assumedBy({ AWS: raw("local.task_role_arn") }),
    maxSessionDuration: 43_200,
    ...made,
  });
  role.addOverride("for_each", text("var.handler_roles"));
  const attached = new IamRolePolicyAttachment(scope, "handler_policies", {
    role: text("aws_iam_role.handler[each.value.handler].name"),
    policyArn: text("each.value.policy"),
  });
  attached.addOverride(
    "for_each",
    text(
      '{ for one in flatten([for handler, policies in var.handler_roles : [for policy in policies : { handler = handler, policy = policy }]]) : "${one.handler} ${one.policy}" => one }',
    ),
  );
}
