import { afterEach, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { actionsWorkflow } from "../../internal/runner/handlers/actions/actions-workflow.ts";
import { createHarness, folderOf } from "../lib/handler-harness.ts";

interface StepInput {
  readonly name: string;
  readonly run?: string;
  readonly command?: string;
  readonly env?: Record<string, string>;
  readonly source?: { tag: string; path?: string };
  readonly git?: { url: string; ref: string; path: string };
  /** Texts of the config that the plan's rendered ones replace. */
  readonly template?: { inline_contents?: string; command?: string };
}
interface ActionInput {
  readonly steps: readonly StepInput[];
  readonly builtin?: Record<string, string>;
  readonly runEnv?: Record<string, string>;
  readonly override?: Record<string, string>;
  readonly sources?: Record<string, string>;
  readonly sensitive?: readonly string[];
}

const disposals: (() => void)[] = [];
afterEach(() => {
  for (const dispose of disposals.splice(0)) dispose();
});
function source(files: Record<string, string>): string {
  const folder = folderOf(files);
  disposals.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The three documents of an action; run and plan list their steps backwards, because order means nothing there. */
function action(input: ActionInput) {
  const registry = { RegistryType: "private_oci", Repository: "sources/x", LoginServer: "127.0.0.1:1" };
  const planSteps = input.steps.map((step, at) => ({
    run_id: `run-step-${at}`,
    attrs: { "step.name": step.name, "step.id": `cfg-${at}` },
    interpolated_env_vars: step.env ?? {},
    interpolated_inline_contents: step.run ?? "",
    interpolated_command: step.command ?? "",
    git_source: step.git ?? { url: "", ref: "", path: "" },
    ...(step.source ? { source: { registry, ...step.source } } : {}),
  }));
  const rows = { created_by_id: "t" };
  const config = input.steps.map((step, at) => ({
    id: `cfg-${at}`,
    ...rows,
    name: step.name,
    idx: at,
    ...step.template,
  }));
  const run = input.steps.map((_, at) => ({ id: `run-step-${at}`, ...rows, step_id: `cfg-${at}` }));
  const harness = createHarness({
    handler: actionsWorkflow,
    plan: {
      id: "iar1",
      install_id: "inl1",
      steps: planSteps.toReversed(),
      builtin_env_vars: input.builtin ?? {},
      override_env_vars: input.override ?? {},
    },
    documents: {
      actionRun: async () => ({
        id: "iar1",
        ...rows,
        action_workflow_config_id: "acc1",
        run_env_vars: input.runEnv ?? {},
        steps: run.toReversed(),
      }),
      actionConfig: async () => ({ id: "acc1", ...rows, steps: config }),
    },
    ...(input.sources ? { sources: input.sources } : {}),
    ...(input.sensitive ? { sensitive: input.sensitive } : {}),
  });
  disposals.push(harness.dispose);
  return harness;
}
const one = (step: Omit<StepInput, "name">, more: Omit<ActionInput, "steps"> = {}) =>
  action({ steps: [{ name: "x", ...step }], ...more });

describe("an action", () => {
  test("runs its steps in the order of the config, paired by id", async () => {
    const harness = action({
      steps: [
        { name: "first", run: "echo one" },
        { name: "second", run: "echo two" },
        { name: "third", run: "echo three" },
      ],
    });
    expect((await harness.run()).status).toBe("finished");
    expect(harness.log().trim().split("\n")).toEqual(["one", "two", "three"]);
    expect(harness.steps.map(({ name, id, status, code }) => [name, id, status, code])).toEqual([
      ["first", "run-step-0", "finished", 0],
      ["second", "run-step-1", "finished", 0],
      ["third", "run-step-2", "finished", 0],
    ]);
  });

  test("starts inline contents by their own shebang, else with a shell that stops at the first error", async () => {
    expect(await one({ run: '#!/bin/sh\nfalse\necho "still here $0" >&2\n' }).run()).toMatchObject({
      status: "finished",
    });
    const strict = one({ run: "false\necho not reached\n" });
    expect(await strict.run()).toMatchObject({ status: "failed", reason: 'step "x" exited with 1' });
    expect(strict.log()).not.toContain("not reached");
    expect((await one({ run: "echo $UNSET_NAME" }).run()).status).toBe("failed");
  });

  test("prefers the plan's rendered texts and falls back to the config's", async () => {
    const rendered = one({ run: "echo rendered", template: { inline_contents: "echo {{.template}}" } });
    await rendered.run();
    expect(rendered.log().trim()).toBe("rendered");
    const config = one({ template: { command: "echo 'from config'" } });
    await config.run();
    expect(config.log().trim()).toBe("from config");
  });

  test("calls a script of its source with quoted arguments, in the folder of the source", async () => {
    const folder = source({
      "scripts/greet.sh": '#!/bin/sh\nprintf "%s|" "$@"\nbasename "$PWD"\ncat data.txt\n',
      "scripts/data.txt": "data",
    });
    const harness = one(
      { command: './greet.sh --loud "two words" $HOME', source: { tag: "t", path: "scripts" } },
      { sources: { t: folder } },
    );
    expect((await harness.run()).status).toBe("finished");
    expect(harness.log()).toContain("--loud|two words|$HOME|scripts\ndata");
  });

  test.skipIf(Bun.which("git") === null)("works on a git source at the ref it names", async () => {
    const repo = source({ "hello.sh": "#!/bin/sh\necho from git\n" });
    const git = (...args: string[]) =>
      expect(Bun.spawnSync(["git", "-C", repo, "-c", "user.name=t", "-c", "user.email=t@t", ...args]).exitCode).toBe(0);
    git("init", "-q", "-b", "main");
    git("add", "-A");
    git("commit", "-q", "-m", "one");
    git("tag", "v1");
    const harness = one({ command: "./hello.sh", git: { url: repo, ref: "v1", path: "." } });
    expect((await harness.run()).status).toBe("finished");
    expect(harness.log()).toContain("from git");
  });

  test("gives each step its environment in the documented order, the later layer winning", async () => {
    const harness = one(
      { run: 'echo "$A$B$C$D"', env: { B: "step", C: "step", D: "step" } },
      {
        builtin: { A: "builtin ", B: "builtin ", C: "builtin ", D: "builtin " },
        runEnv: { C: "run ", D: "run " },
        override: { D: "override" },
      },
    );
    await harness.run();
    expect(harness.log().trim()).toBe("builtin steprun override");
  });

  test("names one outputs file by both names and lets no document point it elsewhere", async () => {
    const harness = one(
      { run: 'test "$RUNNER_OUTPUT" = "$NUON_ACTIONS_OUTPUT_FILEPATH"\necho a=1 >>"$RUNNER_OUTPUT"' },
      { builtin: { RUNNER_OUTPUT: "/tmp/elsewhere", RUNNER_EXECUTION: "other" } },
    );
    expect((await harness.run()).outputs).toEqual({ a: "1", steps: { x: { a: "1" } } });
    expect(harness.runs[0]?.env.RUNNER_EXECUTION).toBe("runtest");
    expect(harness.runs[0]?.env.NUON_ACTIONS_ROOT).toBe(harness.work);
    expect(harness.runs[0]?.env.NUON_KUBECONFIG_ENABLED).toBe("false");
  });

  test("merges the outputs of its steps and keeps each step's own", async () => {
    const harness = action({
      steps: [
        { name: "one", run: `echo '{"answer": 42}' >>"$RUNNER_OUTPUT"; echo key=old >>"$RUNNER_OUTPUT"` },
        { name: "two", run: `printf 'key=new\\ntext<<END\\na\\nb\\nEND\\n' >>"$RUNNER_OUTPUT"` },
        { name: "three", run: "true" },
      ],
    });
    expect((await harness.run()).outputs).toEqual({
      answer: 42,
      key: "new",
      text: "a\nb",
      steps: { one: { answer: 42, key: "old" }, two: { key: "new", text: "a\nb" }, three: {} },
    });
  });

  test("fails with the step and the line when outputs cannot be read", async () => {
    const outcome = await one({ run: `echo '[1]' >>"$RUNNER_OUTPUT"` }).run();
    expect(outcome.reason).toStartWith('step "x": line 1 of the outputs cannot be read');
  });

  test("stops at the first failed step and reports the later ones as errors that never ran", async () => {
    const harness = action({
      steps: [
        { name: "good", run: "true" },
        { name: "bad", run: "exit 3" },
        { name: "later", run: "echo never" },
        { name: "last", run: "echo never" },
      ],
    });
    expect(await harness.run()).toMatchObject({ status: "failed", reason: 'step "bad" exited with 3', outputs: null });
    expect(harness.steps.map(({ name, status, code }) => [name, status, code])).toEqual([
      ["good", "finished", 0],
      ["bad", "error", 3],
      ["later", "error", null],
      ["last", "error", null],
    ]);
    expect(harness.log()).not.toContain("never");
  });

  test("says which signal ended a step", async () => {
    expect((await one({ run: "sh -c 'kill -9 $$'" }).run()).reason).toBe('step "x" exited with 137 (signal 9)');
  });

  test("registers what looks secret, and what the job calls sensitive, before anything runs", async () => {
    const harness = one(
      { run: "true", env: { DB_PASSWORD: "pw-of-step" } },
      {
        builtin: { NUON_API_TOKEN: "token-of-run", NUON_ORG_ID: "org-not-secret" },
        override: { PIN_CODE: "4711-pin" },
        runEnv: { AWS_SECRET_ACCESS_KEY: "aws-of-run" },
        sensitive: ["PIN_CODE"],
      },
    );
    const ctx = harness.context();
    await actionsWorkflow.fetch?.(ctx);
    expect([...harness.secrets].sort()).toEqual(["4711-pin", "aws-of-run", "pw-of-step", "token-of-run"]);
    expect(harness.runs).toEqual([]);
  });

  test("runs each tool once when a crash makes its steps run again", async () => {
    const folder = source({
      "count.sh": '#!/bin/sh\necho ran >>"$NUON_ACTIONS_ROOT/count"\necho n=1 >>"$RUNNER_OUTPUT"\n',
    });
    const harness = action({
      steps: [
        { name: "a", command: "./count.sh", source: { tag: "t" } },
        { name: "b", run: "echo ok" },
      ],
      sources: { t: folder },
    });
    // Fetch twice: an interrupted one is run again from its start.
    await actionsWorkflow.fetch?.(harness.context());
    await actionsWorkflow.fetch?.(harness.context());
    await actionsWorkflow.validate?.(harness.context());
    await actionsWorkflow.initialize?.(harness.context());
    await actionsWorkflow.execute(harness.context());
    await actionsWorkflow.execute(harness.context());
    expect(harness.runs.map(({ key }) => key)).toEqual(["step-0", "step-1"]);
    expect(await Bun.file(join(harness.work, "count")).text()).toBe("ran\n");
    expect((await actionsWorkflow.outputs?.(harness.context()))?.values).toMatchObject({ n: "1" });
  });
});

describe("an action that cannot be run says why in one line", () => {
  const files = { "ok.sh": "#!/bin/sh\n", "plain.txt": "text", "sub/x": "x" };
  const cases: readonly (readonly [string, Omit<StepInput, "name">, string])[] = [
    [
      "a missing script",
      { command: "./no.sh", source: { tag: "t" } },
      'step "x": ./no.sh does not exist in its source',
    ],
    ["a script without x", { command: "./plain.txt", source: { tag: "t" } }, 'step "x": ./plain.txt is not executable'],
    [
      "an unknown program",
      { command: "no-such-program-1 a" },
      'step "x": there is no program no-such-program-1 on the PATH',
    ],
    ["an open quote", { command: "echo 'a" }, 'step "x": the command cannot be split into words: the single quote'],
    ["nothing to do", {}, 'step "x" has neither a command nor inline contents'],
    [
      "a missing folder",
      { command: "true", source: { tag: "t", path: "no" } },
      'step "x": its source has no folder no',
    ],
    ["a path outside", { command: "true", source: { tag: "t", path: "../.." } }, 'step "x": the path ../.. leads out'],
    [
      "a bad variable name",
      { run: "true", env: { "A=B": "1" } },
      'step "x": the environment variable "A=B" is not a name',
    ],
  ];
  for (const [what, step, reason] of cases) {
    test(what, async () => {
      const harness = one(step, { sources: { t: source(files) } });
      const outcome = await harness.run();
      expect(outcome.status).toBe("failed");
      expect(outcome.reason).toStartWith(reason);
      expect(harness.runs).toEqual([]);
    });
  }

  test("documents that do not agree", async () => {
    const rows = { created_by_id: "t" };
    const harness = createHarness({
      handler: actionsWorkflow,
      plan: { id: "r", install_id: "i", steps: [] },
      documents: {
        actionRun: async () => ({
          id: "r",
          ...rows,
          action_workflow_config_id: "c",
          steps: [{ id: "s", ...rows, step_id: "k" }],
        }),
        actionConfig: async () => ({ id: "c", ...rows, steps: [{ id: "k", ...rows, name: "n", command: "true" }] }),
      },
    });
    disposals.push(harness.dispose);
    expect((await harness.run()).reason).toBe(
      "the documents of this action do not agree: the plan has no step s, which the run names",
    );
  });
});

describe("sandbox mode", () => {
  test("reports every step as finished and the plan's outputs, and starts nothing", async () => {
    const harness = createHarness({
      handler: actionsWorkflow,
      plan: {
        id: "iar1",
        install_id: "inl1",
        steps: [
          { run_id: "r1", attrs: { "step.name": "one" }, interpolated_command: "rm -rf /" },
          { run_id: "r2", attrs: { "step.name": "two" }, interpolated_command: "rm -rf /" },
        ],
        sandbox_mode: { enabled: true, outputs: { made: "up" } },
      },
      settings: { sandbox_mode: true },
    });
    disposals.push(harness.dispose);
    const { status, outputs } = await harness.run();
    expect([status, outputs, harness.runs]).toEqual(["finished", { made: "up" }, []]);
    expect(harness.steps.map(({ name, id, status }) => [name, id, status])).toEqual([
      ["one", "r1", "finished"],
      ["two", "r2", "finished"],
    ]);
  });
});
