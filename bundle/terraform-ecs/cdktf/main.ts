import { AwsProvider } from "@cdktn/provider-aws/lib/provider/index.js";
import { App, TerraformOutput, TerraformStack } from "cdktn";
import { text } from "./expression.ts";
import { declareInputs } from "./inputs.ts";
import { executionRole, handlerRoles, taskRole } from "./roles.ts";
import { locals, logGroup, lookups, securityGroup, tokenSecret } from "./surroundings.ts";
import { service, taskDefinition } from "./task.ts";

/**
 * The ECS bundle (issue: inputs of Nuon's reference bundle plus what it leaves out). `npm run generate -- ecs` writes
 * what comes out of it to ../main.tf.json. Everything is typed by the bindings of the AWS provider, which are made from
 * the schema it publishes.
 */
const OUTPUTS: Readonly<Record<string, readonly [expression: string, description: string]>> = {
  runner_id: ["var.runner_id", "Identity of the runner."],
  api_url: ["var.api_url", "Address of its control plane."],
  cluster_arn: ["var.cluster_arn", "Cluster it runs in."],
  install_iam_role_arn: ["var.install_iam_role_arn", "As it was given."],
  runner_iam_role_arn: ["local.task_role_arn", "Task role of the runner."],
  vpc_id: ["var.vpc_id", "VPC it runs in."],
  private_subnet_ids: ["local.subnet_ids", "Subnets it runs in."],
  service_name: ["aws_ecs_service.runner.name", "Service of ECS."],
  task_definition_arn: ["aws_ecs_task_definition.runner.arn", "Task definition in force."],
  security_group_id: ["aws_security_group.runner.id", "Security group of the runner."],
  log_group_name: ["aws_cloudwatch_log_group.runner.name", "Log group of the runner."],
  handler_role_arns: [
    "{ for handler, role in aws_iam_role.handler : handler => role.arn }",
    "Roles for jobs, by handler.",
  ],
};

/** Write-only arguments keep a token out of the state since then, in Terraform and in OpenTofu. */
const REQUIRED = ">= 1.11.0";

const app = new App({
  outdir: process.argv[2] ?? "out",
  stackTraces: false,
  context: { targetVersions: { terraform: REQUIRED, opentofu: REQUIRED } },
});
const stack = new TerraformStack(app, "runner");
stack.addOverride("terraform.required_version", REQUIRED);
stack.addOverride("terraform.required_providers.aws.version", "~> 6.66");
new AwsProvider(stack, "aws", { region: text("var.aws_region") }).addOverride("default_tags", [
  { tags: text('merge({ "runner:id" = var.runner_id }, var.tags)') },
]);
declareInputs(stack);
locals(stack);
lookups(stack);
tokenSecret(stack);
logGroup(stack);
securityGroup(stack);
executionRole(stack);
taskRole(stack);
handlerRoles(stack);
taskDefinition(stack);
service(stack);
for (const [name, [expression, description]] of Object.entries(OUTPUTS)) {
  new TerraformOutput(stack, `output_${name}`, { value: text(expression), description }).overrideLogicalId(name);
}
app.synth();
