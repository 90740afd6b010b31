import { describe, expect, test } from "bun:test";
import { parseJobDocument } from "../../protocol/job-file-parse.ts";
import type { ContainerSpec } from "../../protocol/job-specs/container.ts";
import type { Submission } from "../../protocol/operator.ts";
import { containerPlan } from "../../protocol/plans-ours.ts";
import { compileSubmission, parseSubmission } from "./compile.ts";

const HEX = "a".repeat(64);

function compile(job: Record<string, unknown>, sources?: Submission["sources"]) {
  const submission: Submission = { job, ...(sources ? { sources } : {}) };
  const parsed = parseSubmission(submission);
  if (!parsed.ok) throw parsed.error;
  const compiled = compileSubmission(parsed.value, submission, {
    now: 0,
    workspaceId: () => "",
    exactWorkspace: () => "",
    https: false,
  });
  if (!compiled.ok) throw compiled.error;
  return { ...compiled.value, plan: containerPlan.parse(JSON.parse(compiled.value.job.plan ?? "")) };
}

test("the login of a registry that its cloud makes is asked of the runner, not written into the plan", () => {
  const image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/app:1";
  const { plan } = compile({ type: "container", spec: { image, credentials: { cloud: true } } });
  expect(plan).toMatchObject({ image, cloud_login: true });
  expect(plan).not.toHaveProperty("credentials");
});

test("an artifact of such a registry is named in Nuon's own form, and one of no cloud is refused", () => {
  const source = (ref: string) => ({ oci: { ref, credentials: { cloud: true } } });
  const spec = (ref: string) => ({ image: "a", source: source(ref) });
  const { plan } = compile({ type: "container", spec: spec("team.azurecr.io/mod:1") });
  expect(plan.source?.registry).toMatchObject({
    RegistryType: "acr",
    ACRAuth: { use_default: true },
    OCIAuth: null,
    LoginServer: "team.azurecr.io",
  });
  expect(() => compile({ type: "container", spec: spec("ghcr.io/team/mod:1") })).toThrow(
    "ghcr.io is no registry of AWS",
  );
});

describe("a container job", () => {
  test("becomes a plan of its own group, which a Go runner is never offered", () => {
    const spec: ContainerSpec = {
      image: "alpine:3.20",
      command: ["echo", "two words"],
      env: { WHO: "world" },
      files: { "/etc/app": "text" },
      credentials: { username: "u", password: "p" },
      profile: "build",
    };
    const { job, change, plan } = compile({ type: "container", requires: { gpus: 2 }, resources: { cpu: 2 }, spec });
    expect([job.group, job.native, job.timeouts.executionMs, change]).toEqual(["containers", true, 3_600_000, null]);
    expect(job.options.resources).toEqual({ cpu: 2, memory_bytes: null });
    expect(plan).toEqual({
      image: "alpine:3.20",
      command: ["echo", "two words"],
      profile: "build",
      credentials: { username: "u", password: "p" },
      env_vars: { WHO: "world" },
      files: { "/etc/app": "text" },
      gpus: 2,
    });
  });

  test("brings its folder by the digest of what was uploaded", () => {
    const spec = { image: "alpine", source: { path: "./data" } };
    const { job, plan } = compile(
      { type: "container", spec },
      { "spec.source": { digest: `sha256:${HEX}`, path: "" } },
    );
    expect(job.sources).toEqual([`sha256:${HEX}`]);
    expect(plan.source?.tag).toBe(HEX);
  });

  const wrong: [string, Record<string, unknown>, string][] = [
    ["without an image", {}, "image"],
    ["with a relaxation of its own", { image: "a", privileged: true }, "privileged"],
    ["with a secret that nobody resolved", { image: "a", files: { "/x": { env: "TOKEN" } } }, "spec.files./x"],
    ["with a bad name of a variable", { image: "a", env: { "A B": "1" } }, "spec.env"],
    [
      "with both a task and a command",
      { image: "a", command: ["x"], victoria: { task_id: "12345678", prompt: "p" } },
      "command",
    ],
  ];
  for (const [what, spec, key] of wrong) {
    test(`is refused ${what}, and the key is named`, () => {
      const parsed = parseJobDocument({ type: "container", spec }, "job");
      const message = parsed.ok ? messageOf(() => compile({ type: "container", spec })) : parsed.error.message;
      expect(message).toContain(key);
    });
  }
});

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "it was taken";
}
