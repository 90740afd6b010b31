import { CloudwatchLogGroup } from "@cdktn/provider-aws/lib/cloudwatch-log-group/index.js";
import { DataAwsCallerIdentity } from "@cdktn/provider-aws/lib/data-aws-caller-identity/index.js";
import { DataAwsPartition } from "@cdktn/provider-aws/lib/data-aws-partition/index.js";
import { DataAwsSubnets } from "@cdktn/provider-aws/lib/data-aws-subnets/index.js";
import { SecretsmanagerSecret } from "@cdktn/provider-aws/lib/secretsmanager-secret/index.js";
import { SecretsmanagerSecretVersion } from "@cdktn/provider-aws/lib/secretsmanager-secret-version/index.js";
import { SecurityGroup } from "@cdktn/provider-aws/lib/security-group/index.js";
import { VpcSecurityGroupEgressRule } from "@cdktn/provider-aws/lib/vpc-security-group-egress-rule/index.js";
import { TerraformLocal } from "cdktn";
import type { Construct } from "constructs";
import { number, text, when } from "./expression.ts";

/** Names that more than one part needs. */
export function locals(scope: Construct): void {
  const names = {
    image: 'var.image_digest == null ? "${var.image_url}:${var.image_tag}" : "${var.image_url}@${var.image_digest}"',
    subnet_ids: "length(var.subnet_ids) > 0 ? var.subnet_ids : data.aws_subnets.private[0].ids",
    task_role_arn: "var.runner_iam_role_arn != null ? var.runner_iam_role_arn : aws_iam_role.task[0].arn",
    token_arn: "var.api_token_arn != null ? var.api_token_arn : aws_secretsmanager_secret.token[0].arn",
    // Each once, by its service. A JSON key or version after a secret's ARN is for ECS, not for IAM.
    secrets: "merge(var.secrets, { RUNNER_API_TOKEN = local.token_arn })",
    // Decided by what was given, so that the number of policies is known before the secret is made.
    manager:
      'concat([for arn in values(var.secrets) : join(":", slice(split(":", arn), 0, 7)) if strcontains(arn, ":secretsmanager:")], var.api_token_arn == null ? [local.token_arn] : [for arn in [var.api_token_arn] : arn if strcontains(arn, ":secretsmanager:")])',
    parameters:
      'compact([for arn in concat(values(var.secrets), [var.api_token_arn]) : arn == null ? "" : strcontains(arn, ":ssm:") ? arn : ""])',
    log_group_name: 'var.log_group_name != null ? var.log_group_name : "/runner/${var.runner_id}"',
  };
  for (const [name, expression] of Object.entries(names)) {
    new TerraformLocal(scope, `local_${name}`, text(expression)).overrideLogicalId(name);
  }
}

export function lookups(scope: Construct): void {
  new DataAwsCallerIdentity(scope, "current", {});
  new DataAwsPartition(scope, "partition", {}).overrideLogicalId("current");
  new DataAwsSubnets(scope, "private", {
    count: when("length(var.subnet_ids) == 0"),
    filter: [{ name: "vpc-id", values: [text("var.vpc_id")] }],
    tags: { visibility: "private" },
  });
}

/** A token given in clear goes to a secret, write-only: plan and state never hold it. */
export function tokenSecret(scope: Construct): void {
  new SecretsmanagerSecret(scope, "token", {
    count: when("var.api_token_arn == null"),
    namePrefix: "${var.runner_id}-token-",
    description: "Token of runner ${var.runner_id}",
    kmsKeyId: text("var.secrets_kms_key_arn"),
    recoveryWindowInDays: 7,
  });
  const version = new SecretsmanagerSecretVersion(scope, "token_value", {
    count: when("var.api_token_arn == null"),
    secretId: text("aws_secretsmanager_secret.token[0].id"),
    secretStringWo: text("var.api_token"),
    secretStringWoVersion: number("var.api_token_version"),
  });
  version.overrideLogicalId("token");
}

export function logGroup(scope: Construct): void {
  const group = new CloudwatchLogGroup(scope, "log", {
    name: text("local.log_group_name"),
    retentionInDays: number("var.log_retention_days"),
    kmsKeyId: text("var.log_kms_key_arn"),
  });
  group.overrideLogicalId("runner");
}

/** Nothing comes in; out go the ports named, to the addresses named. */
export function securityGroup(scope: Construct): void {
  const group = new SecurityGroup(scope, "group", {
    namePrefix: "${var.runner_id}-",
    description: "Runner ${var.runner_id}: nothing in, TCP out",
    vpcId: text("var.vpc_id"),
    lifecycle: { createBeforeDestroy: true },
  });
  group.overrideLogicalId("runner");
  const out = new VpcSecurityGroupEgressRule(scope, "out", {
    securityGroupId: text("aws_security_group.runner.id"),
    description: "What the runner may connect to",
    ipProtocol: "tcp",
    fromPort: number("each.value.port"),
    toPort: number("each.value.port"),
    cidrIpv4: text('strcontains(each.value.cidr, ":") ? null : each.value.cidr'),
    cidrIpv6: text('strcontains(each.value.cidr, ":") ? each.value.cidr : null'),
  });
  out.addOverride(
    "for_each",
    text(
      '{ for one in setproduct(var.egress_cidr_blocks, var.egress_ports) : "${one[0]} ${one[1]}" => { cidr = one[0], port = one[1] } }',
    ),
  );
}
