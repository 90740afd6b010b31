import { EcsService } from "@cdktn/provider-aws/lib/ecs-service/index.js";
import { EcsTaskDefinition } from "@cdktn/provider-aws/lib/ecs-task-definition/index.js";
import type { Construct } from "constructs";
import { is, json, list, number, raw, text } from "./expression.ts";

/** Seconds between the end of a drain and the kill: the last reports go out in them. */
const LAST_REPORTS_SECONDS = 15;
const STATE = "/var/lib/runner";

/** Terraform reads the keys of a container definition as the API of ECS spells them. */
function container() {
  const own = [
    "RUNNER_ID = var.runner_id",
    "RUNNER_API_URL = var.api_url",
    "RUNNER_MODE = var.mode",
    `RUNNER_DRAIN_TIMEOUT = "\${var.stop_timeout_seconds - ${LAST_REPORTS_SECONDS}}s"`,
    "RUNNER_ECS_TASK_PROTECTION = tostring(var.protect_busy_tasks)",
    "AWS_REGION = var.aws_region",
  ];
  return {
    name: "runner",
    image: raw("local.image"),
    essential: true,
    command: ["run"],
    environment: raw(
      `[for name, value in merge({ ${own.join(", ")} }, var.environment) : { name = name, value = value }]`,
    ),
    secrets: raw("[for name, arn in local.secrets : { name = name, valueFrom = arn }]"),
    stopTimeout: raw("var.stop_timeout_seconds"),
    readonlyRootFilesystem: true,
    user: "65532:65532",
    linuxParameters: { capabilities: { drop: ["ALL"] } },
    mountPoints: [
      { sourceVolume: "state", containerPath: STATE, readOnly: false },
      { sourceVolume: "tmp", containerPath: "/tmp", readOnly: false },
    ],
    healthCheck: {
      command: ["CMD", "/usr/local/lib/runner/healthy"],
      interval: 30,
      timeout: 5,
      retries: 3,
      startPeriod: 60,
    },
    logConfiguration: {
      logDriver: "awslogs",
      options: {
        "awslogs-group": raw("aws_cloudwatch_log_group.runner.name"),
        "awslogs-region": raw("var.aws_region"),
        "awslogs-stream-prefix": "runner",
        mode: "non-blocking",
        "max-buffer-size": "4m",
      },
    },
  };
}

export function taskDefinition(scope: Construct): void {
  const task = new EcsTaskDefinition(scope, "definition", {
    family: text("var.runner_id"),
    requiresCompatibilities: ["FARGATE"],
    networkMode: "awsvpc",
    cpu: text("tostring(var.cpu)"),
    memory: text("tostring(var.memory)"),
    executionRoleArn: text("aws_iam_role.execution.arn"),
    taskRoleArn: text("local.task_role_arn"),
    runtimePlatform: { operatingSystemFamily: "LINUX", cpuArchitecture: text("var.architecture") },
    ephemeralStorage: { sizeInGib: number("var.ephemeral_storage_gib") },
    volume: [{ name: "state" }, { name: "tmp" }],
    containerDefinitions: json([container()]),
    // ECS rolls back to the revision before, which it must not have been told to forget.
    skipDestroy: true,
  });
  task.overrideLogicalId("runner");
}

/**
 * One task at most, the old one gone before the new one comes: an identity is one runner. A version that does not
 * become healthy is rolled back by the circuit breaker.
 */
export function service(scope: Construct): void {
  const runner = new EcsService(scope, "service", {
    name: text("var.runner_id"),
    cluster: text("var.cluster_arn"),
    taskDefinition: text("aws_ecs_task_definition.runner.arn"),
    desiredCount: number("var.running ? 1 : 0"),
    deploymentMinimumHealthyPercent: 0,
    deploymentMaximumPercent: 100,
    deploymentCircuitBreaker: { enable: true, rollback: true },
    // Without it the provider refuses to change the capacity providers of a service.
    forceNewDeployment: true,
    availabilityZoneRebalancing: "DISABLED",
    enableExecuteCommand: false,
    enableEcsManagedTags: true,
    propagateTags: "SERVICE",
    networkConfiguration: {
      subnets: list("local.subnet_ids"),
      securityGroups: list("concat([aws_security_group.runner.id], var.security_group_ids)"),
      assignPublicIp: false,
    },
    waitForSteadyState: is("var.running"),
    lifecycle: {
      precondition: [
        {
          condition: is("length(local.subnet_ids) > 0"),
          errorMessage: "no subnet: name subnet_ids, or tag the private subnets of the VPC with visibility=private.",
        },
      ],
    },
  });
  runner.overrideLogicalId("runner");
  runner.addOverride("dynamic.capacity_provider_strategy", {
    for_each: text("var.capacity_providers"),
    content: {
      capacity_provider: text("capacity_provider_strategy.key"),
      weight: text("capacity_provider_strategy.value"),
    },
  });
  // The first start needs what the execution role may do, which the task definition does not name.
  runner.addOverride("depends_on", [
    "aws_iam_role_policy.execution_policy",
    "aws_iam_role_policy.execution_manager",
    "aws_iam_role_policy.execution_parameters",
    "aws_iam_role_policy.execution_key",
    "aws_secretsmanager_secret_version.token",
  ]);
}
