import { describe, expect, test } from "bun:test";
import { actionWorkflowRunPlan, deployPlan } from "../../protocol/nuon/plans.ts";
import type { Submission } from "../../protocol/operator.ts";
import { scriptPlan } from "../../protocol/plans-ours.ts";
import { compileSubmission, parseSubmission } from "./compile.ts";
import type { CompiledSubmission } from "./compiled.ts";
import { renderPlan } from "./render-plan.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;
const CONTEXT = {
  now: 1_700_000_000_000,
  workspaceId: (name: string) => `tfw-${name}`,
  exactWorkspace: (id: string) => id,
  https: true,
};

function compile(submission: Submission, https = true): CompiledSubmission {
  const parsed = parseSubmission(submission);
  if (!parsed.ok) throw parsed.error;
  const compiled = compileSubmission(parsed.value, submission, { ...CONTEXT, https });
  if (!compiled.ok) throw compiled.error;
  return compiled.value;
}
const faultOf = (submission: Submission): string => {
  try {
    compile(submission);
    return "accepted";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

const ACTION = {
  type: "actions-workflow",
  name: "hello",
  spec: {
    env: { WHO: "world" },
    steps: [
      { name: "greet", source: { path: "./scripts" }, command: './greet.sh "two words"', env: { WHO: "you" } },
      { name: "out", run: "echo hi\n" },
      { name: "own", run: "#!/usr/bin/env python3\nprint(1)\n" },
      { name: "git", source: { git: { url: "https://example.com/r.git" } }, command: "make" },
    ],
  },
};
const ACTION_SOURCES = { "spec.steps.0.source": { digest: DIGEST, path: "./bin/" } };

describe("an action", () => {
  const { job, change } = compile({ job: ACTION, sources: ACTION_SOURCES });
  const plan = actionWorkflowRunPlan.parse(JSON.parse(job.plan ?? ""));

  test("becomes plan, run and config whose steps agree by index and by id", () => {
    const config = job.documents.action_config;
    const run = job.documents.action_run;
    expect(config?.steps?.map((step) => step.name)).toEqual(["greet", "out", "own", "git"]);
    expect(config?.steps?.map((step) => step.idx)).toEqual([0, 1, 2, 3]);
    expect(plan.steps?.map((step) => step.run_id)).toEqual(run?.steps?.map((step) => step.id) ?? []);
    expect(run?.steps?.map((step) => step.step_id)).toEqual(config?.steps?.map((step) => step.id) ?? []);
    expect(plan.steps?.map((step) => step.attrs?.["step.id"])).toEqual(config?.steps?.map((step) => step.id) ?? []);
    expect(run?.action_workflow_config_id).toBe(config?.id ?? "");
    expect(plan.id).toBe(run?.id ?? "");
    expect(job.ownerId).toBe(run?.id ?? "");
  });

  test("carries the metadata that a Nuon server writes", () => {
    expect(Object.keys(job.metadata).sort()).toEqual([
      "action_workflow_id",
      "action_workflow_name",
      "action_workflow_run_id",
      "install_id",
    ]);
  });

  test("runs a text without a shebang under a strict shell, and leaves another's shebang alone", () => {
    expect(plan.steps?.[1]?.interpolated_inline_contents).toBe("#!/bin/sh -eu\necho hi\n");
    expect(job.documents.action_config?.steps?.[1]?.inline_contents).toBe("#!/bin/sh -eu\necho hi\n");
    expect(plan.steps?.[2]?.interpolated_inline_contents).toStartWith("#!/usr/bin/env python3\n");
    expect(plan.steps?.[0]?.interpolated_command).toBe('./greet.sh "two words"');
  });

  test("puts the file's env below a step's own", () => {
    expect(plan.builtin_env_vars?.WHO).toBe("world");
    expect(plan.steps?.[0]?.interpolated_env_vars).toEqual({ WHO: "you" });
    expect(plan.override_env_vars).toEqual({});
  });

  test("gives all steps ten minutes and itself one more; a timeout in the file is the limit of the whole job", () => {
    expect(job.documents.action_config?.timeout).toBe(600_000_000_000);
    expect(job.timeouts.executionMs).toBe(660_000);
    const timed = compile({ job: { ...ACTION, timeout: "2m" }, sources: ACTION_SOURCES }).job;
    expect(timed.documents.action_config?.timeout).toBe(120_000_000_000);
    expect(timed.timeouts.executionMs).toBe(120_000);
  });

  test("names its packed folder by digest, and a git source with a ref that the Go runner takes", () => {
    expect(plan.steps?.[0]?.source?.tag).toBe("ab".repeat(32));
    expect(plan.steps?.[0]?.source?.path).toBe("bin");
    expect(plan.steps?.[0]?.source?.registry?.Repository).toBe(`sources/${"ab".repeat(8)}`);
    expect(plan.steps?.[3]?.git_source).toMatchObject({ url: "https://example.com/r.git", ref: "HEAD", path: "." });
    expect(job.sources).toEqual([DIGEST]);
    expect(change).toBeNull();
  });

  test("is kept from a Go runner only when it needs a packed folder", () => {
    expect(job.native).toBe(true);
    expect(compile({ job: { type: "actions-workflow", spec: { steps: [{ name: "a", run: "x" }] } } }).job.native).toBe(
      false,
    );
  });
});

const TERRAFORM = {
  type: "terraform-deploy",
  spec: {
    source: { path: "." },
    version: "1.11.4",
    workspace: "network",
    vars: { cidr: "10.0.0.0/16", count: 2 },
    vars_files: ["a.tfvars"],
    env: { AWS_REGION: "eu-1" },
    sensitive: ["cidr"],
    verify: true,
  },
};
const WITH = { sources: { "spec.source": { digest: DIGEST, path: "" } }, vars_files: ["x = 1\n"] };

describe("a terraform job", () => {
  test("becomes the plan job of a change, and the exact documents of a deploy", () => {
    const { job, change } = compile({ job: TERRAFORM, ...WITH });
    const plan = deployPlan.parse(JSON.parse(job.plan ?? ""));
    expect(change).toEqual({ approval: "automatic", operation: "apply", approvalMs: null });
    expect(job.operation).toBe("create-apply-plan");
    expect(plan.terraform).toMatchObject({
      vars: { cidr: "10.0.0.0/16", count: 2 },
      env_vars: { AWS_REGION: "eu-1" },
      vars_files: ["x = 1\n"],
      terraform_backend: { WorkspaceID: "tfw-network" },
    });
    expect(plan.src_tag).toBe("ab".repeat(32));
    expect(plan.apply_plan_contents).toBe("");
    const [connection] = job.documents.app_config?.component_config_connections ?? [];
    expect(connection).toMatchObject({ component_id: plan.component_id, terraform_module: { version: "1.11.4" } });
    expect(job.documents.app_config?.id).toBe(plan.app_config_id ?? "");
    expect(job.workspace).toEqual({ id: "tfw-network", name: "network" });
    expect(job.options).toMatchObject({ verify: true, sensitive_vars: ["cidr"] });
    expect(job.timeouts.executionMs).toBe(3_600_000);
    expect(job.name).toBe("network");
  });

  test("carries limits and what is asked of outputs to our own runners only; a destroy requires no output", () => {
    const wishes = {
      resources: { cpu: 0.5, memory: "512MiB", pids: 100 },
      outputs: { address: { required: true }, key: { sensitive: true } },
    };
    const { job } = compile({ job: { ...TERRAFORM, ...wishes }, ...WITH });
    expect(job.options).toMatchObject({
      resources: { cpu: 0.5, memory_bytes: 512 * 1024 * 1024, pids: 100 },
      outputs: { address: { required: true, sensitive: false }, key: { required: false, sensitive: true } },
    });
    expect(job.native).toBe(true);
    const destroy = compile({ job: { ...TERRAFORM, ...wishes, operation: "destroy" }, ...WITH });
    expect(destroy.job.options.outputs?.address).toEqual({ required: false, sensitive: false });
    const expiring = compile({ job: { ...TERRAFORM, approval: "required", approval_expiry: "90m" }, ...WITH });
    expect(expiring.change?.approvalMs).toBe(5_400_000);
  });

  test("plans a teardown for destroy, and stands alone for plan", () => {
    const destroy = compile({ job: { ...TERRAFORM, operation: "destroy", approval: "required" }, ...WITH });
    expect(destroy.job.operation).toBe("create-teardown-plan");
    expect(destroy.change).toEqual({ approval: "required", operation: "destroy", approvalMs: null });
    expect(compile({ job: { ...TERRAFORM, operation: "plan" }, ...WITH }).change).toBeNull();
  });

  test("is refused with the key when something it needs is missing or not built", () => {
    expect(faultOf({ job: TERRAFORM })).toContain('sources["spec.source"] is missing');
    expect(faultOf({ job: TERRAFORM, sources: WITH.sources })).toContain("vars_files");
    const from = (source: unknown) => faultOf({ job: { ...TERRAFORM, spec: { ...TERRAFORM.spec, source } }, ...WITH });
    const credentials = { password: "p" };
    expect(from({ git: { url: "git@example.com:r.git", credentials } })).toContain("spec.source.git.credentials: only");
    expect(from({ git: { url: "https://e.com/r", credentials: { password: { env: "P" } } } })).toContain("spec.source");
    for (const ref of ["example.com/r", "r:1", "example.com/r:latest!", "-x/r:1", "example.com/../r:1 "]) {
      expect(from({ oci: { ref } })).toContain("spec.source.oci.ref");
    }
    expect(from({ oci: { ref: "example.com/r:1", path: "../x" } })).toContain("spec.source.oci.path");
    const out = { "spec.source": { digest: DIGEST, path: "../up" } };
    expect(faultOf({ job: TERRAFORM, ...WITH, sources: out })).toContain("inside the source");
    const bad = { "spec.source": { digest: "sha256:zz", path: "" } };
    expect(faultOf({ job: TERRAFORM, ...WITH, sources: bad })).toContain("64 hexadecimal digits");
  });

  test("goes to a Go runner only where that can pull its source: over HTTPS", () => {
    expect(compile({ job: TERRAFORM, ...WITH }).job).toMatchObject({ native: false, plainHttp: false });
    expect(compile({ job: TERRAFORM, ...WITH }, false).job).toMatchObject({ native: false, plainHttp: true });
  });
});

describe("a terraform job with a stack or hooks", () => {
  const blockOf = (spec: object, operation = "apply") => {
    const { job } = compile({ job: { ...TERRAFORM, operation, spec: { ...TERRAFORM.spec, ...spec } }, ...WITH });
    return { block: deployPlan.parse(JSON.parse(job.plan ?? "")).terraform, native: job.native };
  };

  test("says so in its plan, and is for our runners only", () => {
    expect(blockOf({ stack: "net" })).toMatchObject({ block: { stack: "net", hooks: null }, native: true });
    const { block, native } = blockOf({ hooks: { env: { TOKEN: "x" } } });
    expect([block?.hooks, block?.destroy, native]).toEqual([
      { Enabled: true, EnvVars: { TOKEN: "x" }, RunAuth: null },
      undefined,
      true,
    ]);
    expect(blockOf({ hooks: {} }, "destroy").block?.destroy).toBe(true);
    expect(blockOf({}, "destroy").block?.destroy).toBe(true);
  });
});

describe("a terraform job by tofu", () => {
  test("says so in its plan, with the exact version beside it, and is for our runners only", () => {
    const spec = { ...TERRAFORM.spec, tool: "tofu", version: "1.10.6" };
    const { job } = compile({ job: { ...TERRAFORM, spec }, ...WITH });
    expect(deployPlan.parse(JSON.parse(job.plan ?? "")).terraform?.tool).toBe("tofu");
    const [connection] = job.documents.app_config?.component_config_connections ?? [];
    expect([connection?.terraform_module?.version, job.native]).toEqual(["1.10.6", true]);
    expect(JSON.parse(compile({ job: TERRAFORM, ...WITH }).job.plan ?? "").terraform).not.toHaveProperty("tool");
  });
});

describe("a terraform job of a source elsewhere", () => {
  const job = (source: unknown) =>
    compile({ job: { ...TERRAFORM, spec: { ...TERRAFORM.spec, source } }, vars_files: WITH.vars_files }, false).job;
  const planOf = (source: unknown) => deployPlan.parse(JSON.parse(job(source).plan ?? ""));

  test("names the repository, and is for our runners only", () => {
    const source = { git: { url: "https://example.com/r.git", ref: "v1", path: "modules/net", submodules: true } };
    expect(planOf(source).src_git).toEqual({
      url: "https://example.com/r.git",
      ref: "v1",
      path: "modules/net",
      recurse_submodules: true,
    });
    expect(planOf(source).src_registry).toBeUndefined();
    expect([job(source).native, job(source).sources]).toEqual([true, []]);
  });

  test("carries the login of a repository in its address, from where the runner takes it", () => {
    const credentials = { username: "bot@corp", password: "p/w" };
    const plan = planOf({ git: { url: "https://example.com/r.git", credentials } });
    expect(plan.src_git?.url).toBe("https://bot%40corp:p%2Fw@example.com/r.git");
  });

  test("names the artifact as any registry's, and is for a Go runner too unless it works in a folder of it", () => {
    const ref = "registry.example:5000/team/net:1.2";
    const plan = planOf({ oci: { ref, credentials: { username: "u", password: "p" } } });
    expect(plan.src_registry).toMatchObject({
      RegistryType: "private_oci",
      LoginServer: "registry.example:5000",
      Repository: "team/net",
      OCIAuth: { Username: "u", Password: "p" },
    });
    expect([plan.src_tag, plan.src_path]).toEqual(["1.2", undefined]);
    expect(job({ oci: { ref } }).native).toBe(false);
    expect(planOf({ oci: { ref } }).src_registry?.RegistryType).toBe("public_oci");
    expect(job({ oci: { ref, path: "modules/net" } }).native).toBe(true);
  });
});

describe("a script", () => {
  const script = (spec: Record<string, unknown>, sources?: Submission["sources"]) =>
    compile({ job: { type: "script", spec }, ...(sources ? { sources } : {}) }).job;

  test("becomes a plan of ours that only our runners are offered", () => {
    const job = script({
      language: "python",
      code: "print(1)",
      args: ["--n", 3],
      stdin: "in",
      env: { A: "b" },
      packages: ["requests[socks]==2.32.3"],
    });
    expect([job.group, job.native, job.timeouts.executionMs]).toEqual(["scripts", true, 600_000]);
    expect(scriptPlan.parse(JSON.parse(job.plan ?? ""))).toEqual({
      language: "python",
      code: "print(1)",
      args: ["--n", "3"],
      stdin: "in",
      env_vars: { A: "b" },
      packages: ["requests[socks]==2.32.3"],
    });
  });

  test("names the file of its packed folder, which gets the execution's credentials", () => {
    const spec = { language: "node", file: "run.mjs", source: { root: "..", path: "tools" } };
    const job = script(spec, { "spec.source": { digest: DIGEST, path: "tools" } });
    expect(job.sources).toEqual([DIGEST]);
    const values = { credentials: { username: "u", password: "p" }, publicUrl: "https://c.example" };
    const plan = scriptPlan.parse(JSON.parse(renderPlan(job.plan ?? "", values)));
    expect([plan.file, plan.source?.path]).toEqual(["run.mjs", "tools"]);
    expect(plan.source?.registry.LoginServer).toBe("c.example");
    expect(plan.source?.registry.OCIAuth).toMatchObject({ Username: "u", Password: "p" });
  });

  test("names a repository", () => {
    const git = { url: "https://example.com/r.git", ref: "v1", path: "tools" };
    const job = script({ language: "shell", file: "run.sh", source: { git } });
    expect(scriptPlan.parse(JSON.parse(job.plan ?? "")).git_source).toMatchObject(git);
  });

  test("is refused with the key when it is not one script, or a package is not exact", () => {
    const fault = (spec: Record<string, unknown>) => faultOf({ job: { type: "script", spec } });
    expect(fault({ language: "shell" })).toContain("exactly one of code and file");
    expect(fault({ language: "shell", file: "a.sh" })).toContain("spec.file: file is a file of the source");
    expect(fault({ language: "node", code: "1", packages: ["left-pad"] })).toContain("spec.packages[0]");
    expect(fault({ language: "node", code: "1", packages: ["--registry=x@1.0.0"] })).toContain("spec.packages[0]");
    expect(fault({ language: "ruby", code: "1" })).toContain("spec.language");
  });
});

describe("other jobs", () => {
  test("have the default limits of their types, and no plan unless one is given", () => {
    expect(compile({ job: { type: "noop" } }).job).toMatchObject({
      plan: null,
      operation: "exec",
      group: "operations",
    });
    expect(compile({ job: { type: "noop" } }).job.timeouts.executionMs).toBe(300_000);
    expect(compile({ job: { type: "oci-sync", plan: { src_tag: "a" } } }).job).toMatchObject({
      plan: '{"src_tag":"a"}',
      timeouts: { executionMs: 900_000 },
    });
    expect(compile({ job: { type: "shut-down", spec: { shutdown_type: "force" } } }).job.metadata).toEqual({
      shutdown_type: "force",
    });
  });

  test("are refused with a secret that nobody resolved, or an impossible timeout", () => {
    const step = { name: "a", run: "x", env: { TOKEN: { env: "T" } } };
    expect(faultOf({ job: { type: "actions-workflow", spec: { steps: [step] } } })).toContain(
      "spec.steps[0].env.TOKEN",
    );
    expect(faultOf({ job: { type: "noop", timeout: "1ms" } })).toContain("timeout");
    expect(faultOf({ job: { type: "noop", timeout: "900d" } })).toContain("timeout");
  });
});

describe("a plan as a runner gets it", () => {
  const values = { credentials: { username: "run1.2", password: "pass" }, publicUrl: "https://host:8443/" };

  test("holds the coordinator's address and the execution's credentials in the registry blocks", () => {
    const { job } = compile({ job: ACTION, sources: ACTION_SOURCES });
    const plan = actionWorkflowRunPlan.parse(JSON.parse(renderPlan(job.plan ?? "", values)));
    expect(plan.steps?.[0]?.source?.registry).toMatchObject({
      LoginServer: "host:8443",
      OCIAuth: { Username: "run1.2", Password: "pass" },
    });
  });

  test("keeps a scheme where there is no TLS, because our runner would ask for HTTPS", () => {
    const { job } = compile({ job: TERRAFORM, ...WITH });
    const text = renderPlan(job.plan ?? "", { ...values, publicUrl: "http://10.0.0.1:80" });
    expect(deployPlan.parse(JSON.parse(text)).src_registry?.LoginServer).toBe("http://10.0.0.1");
  });

  test("never fills in what a person wrote, even when it looks like a placeholder", () => {
    const vars = { server: "{runner-coordinator}", password: "{runner-execution-password}" };
    const { job } = compile({ job: { ...TERRAFORM, spec: { ...TERRAFORM.spec, vars } }, ...WITH });
    const plan = deployPlan.parse(JSON.parse(renderPlan(job.plan ?? "", values)));
    expect(plan.terraform?.vars).toEqual(vars);
    expect(renderPlan('{"free": 1.50}', values)).toBe('{"free": 1.50}');
    expect(renderPlan('{"LoginServer": "{runner-coordinator}', values)).toBe('{"LoginServer": "{runner-coordinator}');
  });
});

describe("an exact plan", () => {
  const block = { terraform_backend: { workspaceid: "tfw1" } };

  test("works in the workspace it names by its id, in whatever case its key is written", () => {
    const deploy = { type: "terraform-deploy", operation: "plan", plan: { terraform: block } };
    expect(compile({ job: deploy }).job.workspace).toEqual({ id: "tfw1", name: "tfw1" });
    const sandbox = { type: "sandbox-terraform", operation: "plan", plan: block };
    expect(compile({ job: sandbox }).job.workspace).toEqual({ id: "tfw1", name: "tfw1" });
  });

  test("without a backend has no workspace", () => {
    expect(compile({ job: { type: "noop-deploy", plan: { noop: {} } } }).job.workspace).toBeNull();
  });
});
