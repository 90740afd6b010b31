import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { actionsWorkflow } from "../../../internal/runner/handlers/actions/actions-workflow.ts";
import { lastingCloudKeys } from "../../../internal/runner/handlers/cloud-keys.ts";
import { type Moto, motoMissing, motoPython, startMoto } from "../../bed/moto.ts";
import { createHarness } from "../../lib/handler-harness.ts";

const FIXED = { access_key_id: "AKIATEST", secret_access_key: "canary-key", session_token: "canary-session" };
const CONFIG = JSON.stringify({
  clusters: [{ name: "c", cluster: { server: "https://c.test" } }],
  users: [{ name: "u", user: { token: "canary-token" } }],
  contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
  "current-context": "x",
});

/** An action of one step, as a Nuon plan describes it. */
function action(plan: Record<string, unknown>, script: string) {
  return createHarness({
    handler: actionsWorkflow,
    plan: { id: "iar1", install_id: "inl1", steps: [{ run_id: "s1", interpolated_inline_contents: script }], ...plan },
    documents: {
      actionRun: async () => ({ id: "iar1", action_workflow_config_id: "c1", steps: [{ id: "s1", step_id: "k1" }] }),
      actionConfig: async () => ({ id: "c1", steps: [{ id: "k1", idx: 0, name: "show" }] }),
    },
  });
}

describe("programs of a plan with credentials", () => {
  test("steps of an action get the AWS variables and a KUBECONFIG, and both are redacted", async () => {
    const plan = { aws_auth: { region: "eu-central-1", static: FIXED }, cluster_info: { kube_config: CONFIG } };
    const names = "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION NUON_KUBECONFIG_ENABLED";
    const script = `for name in ${names}; do eval "echo $name=\\$$name"; done; test -s "$KUBECONFIG" && stat -c %a "$KUBECONFIG"`;
    const bed = action(plan, script);
    expect((await bed.run()).reason).toBe("");
    for (const line of [
      "AWS_ACCESS_KEY_ID=AKIATEST",
      "AWS_SECRET_ACCESS_KEY=canary-key",
      "AWS_SESSION_TOKEN=canary-session",
      "AWS_REGION=eu-central-1",
      "NUON_KUBECONFIG_ENABLED=true",
      "600",
    ]) {
      expect(bed.log()).toContain(`${line}\n`);
    }
    for (const secret of ["canary-key", "canary-session", "canary-token"]) expect(bed.secrets).toContain(secret);
    for (const { argv } of bed.runs) expect(argv.join(" ")).not.toContain("canary");
    bed.dispose();
  });

  test("steps of an action without any get none", async () => {
    const bed = action({}, 'set +u; echo "kube=$NUON_KUBECONFIG_ENABLED aws=$AWS_ACCESS_KEY_ID config=$KUBECONFIG."');
    expect((await bed.run()).reason).toBe("");
    expect(bed.log()).toContain("kube=false aws= config=.\n");
    bed.dispose();
  });
});

describe.skipIf(motoMissing() !== null && process.env.CI !== "true")("keys that expire", () => {
  let moto: Moto;
  beforeAll(async () => {
    moto = await startMoto();
  }, 60_000);
  afterAll(async () => {
    await moto?.end();
  });

  test("reach a long work by a file that AWS' clients read again", async () => {
    const bed = createHarness({ handler: actionsWorkflow, cloudEnv: { AWS_ENDPOINT_URL_STS: moto.url }, plan: {} });
    const role = {
      role_arn: "arn:aws:iam::123456789012:role/deployer",
      two_step_config: { src_static_credentials: FIXED },
    };
    const env = await lastingCloudKeys(bed.context(), { aws_auth: { region: "eu-central-1", assume_role: role } });
    expect(Object.keys(env).sort()).toEqual([
      "AWS_CONFIG_FILE",
      "AWS_REGION",
      "AWS_SDK_LOAD_CONFIG",
      "AWS_SHARED_CREDENTIALS_FILE",
    ]);
    const config = readFileSync(env.AWS_CONFIG_FILE ?? "", "utf8");
    const [, file = ""] = /credential_process = \/bin\/cat "(.*)"/.exec(config) ?? [];
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const answer: unknown = JSON.parse(readFileSync(file, "utf8"));
    expect(answer).toMatchObject({
      Version: 1,
      AccessKeyId: expect.stringMatching(/^ASIA/),
      Expiration: expect.stringMatching(/Z$/),
    });
    bed.dispose();
  });

  test("are read from there by an AWS SDK", async () => {
    const bed = createHarness({ handler: actionsWorkflow, cloudEnv: { AWS_ENDPOINT_URL_STS: moto.url }, plan: {} });
    const role = {
      role_arn: "arn:aws:iam::123456789012:role/deployer",
      two_step_config: { src_static_credentials: FIXED },
    };
    const env = await lastingCloudKeys(bed.context(), { aws_auth: { region: "eu-central-1", assume_role: role } });
    const script = 'import boto3; print(boto3.client("sts").get_caller_identity()["Arn"])';
    const asked = Bun.spawnSync([motoPython, "-c", script], {
      env: { ...env, PATH: "/usr/bin:/bin", AWS_ENDPOINT_URL: moto.url },
    });
    expect(asked.stdout.toString() + asked.stderr.toString().slice(-300)).toContain(
      ":assumed-role/deployer/runner-runtest",
    );
    bed.dispose();
  });
});
