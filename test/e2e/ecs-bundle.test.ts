import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { ECS_BUNDLE, ecsApp, synthesised } from "../../scripts/lib/ecs-bundle.ts";
import { ROOT } from "../../scripts/lib/spawn.ts";
import { BED_CACHE } from "../bed/go-program.ts";

/**
 * The AWS provider takes too long to build for every run: its schema is checked through the bindings made from it, and
 * what needs no provider (inputs and their rules) by the real terraform. docs/install-ecs.md tells of a run with it.
 */
const bundle = z
  .object({
    variable: z.record(
      z.string(),
      z.looseObject({ default: z.unknown().optional(), sensitive: z.boolean().optional() }),
    ),
    output: z.record(z.string(), z.object({ value: z.string() })),
    locals: z.record(z.string(), z.string()),
    resource: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown()))),
    terraform: z.record(z.string(), z.unknown()),
  })
  .parse(JSON.parse(readFileSync(ROOT + ECS_BUNDLE, "utf8")));

describe("the ECS bundle", () => {
  test("is what its app makes, and the app fits the schema of the AWS provider", () => {
    const app = ecsApp(BED_CACHE);
    expect(synthesised(app)).toBe(readFileSync(ROOT + ECS_BUNDLE, "utf8"));
    writeFileSync(
      join(app, "tsconfig.json"),
      JSON.stringify({
        extends: `${ROOT}tsconfig.json`,
        compilerOptions: { typeRoots: [`${ROOT}node_modules/@types`] },
        include: ["*.ts"],
      }),
    );
    const done = Bun.spawnSync([`${ROOT}node_modules/.bin/tsc`, "-p", app]);
    expect(done.stdout.toString()).toBe("");
    expect(done.exitCode).toBe(0);
  }, 120_000);

  test("takes every input of the reference bundle, and gives its outputs but the token", () => {
    const inputs = `image_url image_tag runner_id api_url api_token cluster_arn install_iam_role_arn runner_iam_role_arn
      vpc_id aws_region`.split(/\s+/);
    const outputs = "runner_id api_url cluster_arn install_iam_role_arn runner_iam_role_arn vpc_id private_subnet_ids";
    expect(Object.keys(bundle.variable)).toEqual(expect.arrayContaining(inputs));
    expect(Object.keys(bundle.output)).toEqual(expect.arrayContaining(outputs.split(" ")));
    expect(Object.keys(bundle.terraform).sort()).toEqual(["required_providers", "required_version"]);
  });

  test("a deployment that fails finds the revision before it, and capacity providers may be changed", () => {
    expect(bundle.resource.aws_ecs_task_definition?.runner).toMatchObject({ skip_destroy: true });
    const service = bundle.resource.aws_ecs_service?.runner;
    expect(service).toMatchObject({
      deployment_circuit_breaker: { enable: true, rollback: true },
      force_new_deployment: true,
    });
  });

  test("the token reaches a write-only argument and nothing else", () => {
    expect(bundle.variable.api_token).toMatchObject({ ephemeral: true, sensitive: true });
    const places = Object.entries(bundle.resource).flatMap(([type, all]) =>
      Object.entries(all).flatMap(([name, one]) =>
        Object.entries(one)
          .filter(([, value]) => /\bvar\.api_token\b/.test(JSON.stringify(value)))
          .map(([key]) => `${type}.${name}.${key}`),
      ),
    );
    expect(places).toEqual(["aws_secretsmanager_secret_version.token.secret_string_wo"]);
    expect(JSON.stringify(bundle.output)).not.toMatch(/var\.api_token\b/);
  });

  test("no statement of a policy allows every action, and only what has no ARN of its own names every resource", () => {
    const policies = Object.values(bundle.resource.aws_iam_role_policy ?? {}).map(({ policy }) => String(policy));
    const statements = policies.flatMap(
      (text) => text.match(/\{ (?:"Sid" = "\w+", )?"Effect".*?(?=\}, \{ "Sid"|\] \}\))/g) ?? [],
    );
    expect(statements.length).toBeGreaterThan(6);
    for (const one of statements) expect(one).not.toMatch(/"Action" = "\*"|:\*"(?=.*"Resource")/);
    const everything = statements.filter((one) => one.includes('"Resource" = "*"'));
    expect(everything.map((one) => /"(?:ecr|ecs):\w+"/.exec(one)?.[0])).toEqual(
      expect.arrayContaining(['"ecr:GetAuthorizationToken"', '"ecs:GetTaskProtection"']),
    );
    expect(everything).toHaveLength(2);
  });
});

const RULES: readonly (readonly [input: string, value: string, message: string])[] = [
  ["image_tag", "latest", "name a version"],
  ["runner_id", "run 1", "letters, digits"],
  ["api_url", "http://control.example", "an https:// address"],
  ["cluster_arn", "runners", "the ARN of an ECS cluster"],
  ["api_token_arn", "arn:aws:s3:::bucket", "Secrets Manager"],
  ["image_digest", "sha256:12", "64 hexadecimal digits"],
  ["mode", "mng", "all, install or org"],
  ["environment", '{"RUNNER_API_TOKEN":"x"}', "inputs of their own"],
  ["ephemeral_storage_gib", "20", "21 to 200"],
  ["architecture", "amd64", "X86_64 or ARM64"],
  ["capacity_providers", "{}", "one at least"],
  ["stop_timeout_seconds", "600", "30 to 120"],
];

describe("inputs of the ECS bundle, by the real terraform", () => {
  let folder: string;
  const good: Record<string, string> = {
    image_url: "registry.example/runner",
    image_tag: "1.2.3",
    runner_id: "run1",
    api_url: "https://control.example",
    cluster_arn: "arn:aws:ecs:eu-central-1:123456789012:cluster/jobs",
    vpc_id: "vpc-1",
    aws_region: "eu-central-1",
    api_token_arn: "arn:aws:ssm:eu-central-1:123456789012:parameter/runner/token",
  };
  const plan = (inputs: Record<string, string>) => {
    const env = Object.entries(inputs).map(([name, value]) => [`TF_VAR_${name}`, value]);
    const done = Bun.spawnSync(["terraform", "plan", "-no-color", "-input=false"], {
      cwd: folder,
      env: { PATH: process.env.PATH, HOME: folder, CHECKPOINT_DISABLE: "1", ...Object.fromEntries(env) },
      stderr: "pipe",
    });
    return { code: done.exitCode, said: done.stderr.toString().replace(/[│╷╵]/g, "").replace(/\s+/g, " ") };
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "ecs-inputs-"));
    writeFileSync(join(folder, "main.tf.json"), JSON.stringify({ variable: bundle.variable }));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("what the documentation names as enough is enough", () => {
    expect(plan(good)).toEqual({ code: 0, said: "" });
    const { vpc_id: _, ...without } = good;
    expect(plan(without).said).toContain('"vpc_id" is not set');
  });

  test.each(RULES)("%s = %s is refused with the reason", (input, value, message) => {
    const { code, said } = plan({ ...good, [input]: value });
    expect(code).toBe(1);
    expect(said).toContain(`${input}: `);
    expect(said).toContain(message);
  });

  test("its expressions give the container, the secrets and the subnets that are meant", () => {
    // What only AWS can tell stands in as a constant.
    const known = (expression: string) =>
      expression
        .replaceAll("aws_secretsmanager_secret.token[0].arn", '"arn:aws:secretsmanager:eu:1:secret:made-abc"')
        .replaceAll("data.aws_subnets.private[0].ids", '["subnet-found"]')
        .replaceAll("aws_iam_role.task[0].arn", '"arn:aws:iam::1:role/made"')
        .replaceAll("aws_cloudwatch_log_group.runner.name", "local.log_group_name");
    const locals = bundle.locals;
    const container = z.string().parse(bundle.resource.aws_ecs_task_definition?.runner?.container_definitions);
    const names = Object.keys(locals);
    writeFileSync(
      join(folder, "main.tf.json"),
      JSON.stringify({
        variable: bundle.variable,
        locals: Object.fromEntries(names.map((name) => [name, known(locals[name] ?? "")])),
        output: Object.fromEntries([
          ...names.map((name) => [name, { value: `\${local.${name}}` }]),
          ["container", { value: known(container) }],
        ]),
      }),
    );
    const values = (inputs: Record<string, string>) => {
      const { api_token_arn: _, ...rest } = good;
      const env = Object.entries({ ...rest, ...inputs }).map(([name, value]) => [`TF_VAR_${name}`, value]);
      const options = {
        cwd: folder,
        env: { PATH: process.env.PATH, HOME: folder, CHECKPOINT_DISABLE: "1", ...Object.fromEntries(env) },
      };
      const applied = Bun.spawnSync(["terraform", "apply", "-no-color", "-input=false", "-auto-approve"], options);
      expect(applied.stderr.toString()).toBe("");
      const shown = Bun.spawnSync(["terraform", "output", "-json"], options).stdout.toString();
      const all = z.record(z.string(), z.object({ value: z.unknown() })).parse(JSON.parse(shown));
      return Object.fromEntries(Object.entries(all).map(([name, { value }]) => [name, value]));
    };

    const plain = values({ api_token: "t0ken" });
    expect(plain).toMatchObject({
      image: "registry.example/runner:1.2.3",
      subnet_ids: ["subnet-found"],
      manager: ["arn:aws:secretsmanager:eu:1:secret:made-abc"],
      parameters: [],
      log_group_name: "/runner/run1",
      task_role_arn: "arn:aws:iam::1:role/made",
    });
    expect(readFileSync(join(folder, "terraform.tfstate"), "utf8")).not.toContain("t0ken");
    const [one] = z.array(z.looseObject({})).parse(JSON.parse(String(plain.container)));
    expect(one).toMatchObject({
      image: "registry.example/runner:1.2.3",
      secrets: [{ name: "RUNNER_API_TOKEN", valueFrom: "arn:aws:secretsmanager:eu:1:secret:made-abc" }],
      stopTimeout: 120,
      readonlyRootFilesystem: true,
      user: "65532:65532",
    });
    expect(one?.environment).toContainEqual({ name: "RUNNER_DRAIN_TIMEOUT", value: "105s" });

    const given = values({
      api_token_arn: "arn:aws:ssm:eu:1:parameter/token",
      secrets: JSON.stringify({ KEY: "arn:aws:secretsmanager:eu:1:secret:keys-xyz:api::" }),
      environment: JSON.stringify({ RUNNER_MODE: "all" }),
      image_digest: `sha256:${"a".repeat(64)}`,
      subnet_ids: '["subnet-1"]',
    });
    expect(given).toMatchObject({
      image: `registry.example/runner@sha256:${"a".repeat(64)}`,
      subnet_ids: ["subnet-1"],
      manager: ["arn:aws:secretsmanager:eu:1:secret:keys-xyz"],
      parameters: ["arn:aws:ssm:eu:1:parameter/token"],
    });
    const [other] = z.array(z.looseObject({})).parse(JSON.parse(String(given.container)));
    expect(other?.environment).toContainEqual({ name: "RUNNER_MODE", value: "all" });
    expect(other?.secrets).toHaveLength(2);
  }, 60_000);
});
