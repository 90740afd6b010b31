import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { columnsWith, commandLines, filesWith, finderOf, formsOf } from "../lib/canary.ts";
import { addRunner, type Control, startControl } from "./lib/control.ts";
import { terraformTest } from "./lib/jobs.ts";
import { type Bed, makeBed, until } from "./lib/processes.ts";

/** A secret that has a form of its own in every encoding; it goes through real jobs, then everything is searched for it. */
const CANARY = 'c4n4ry "Ä/<+&>\\ 0f-tH3-m1ne=%';

const FORMS = formsOf(CANARY);
const formsIn = finderOf(CANARY);
const base64 = (text: string) => Buffer.from(text).toString("base64");

let bed: Bed;
let control: Control;
beforeEach(async () => {
  bed = makeBed();
  control = await startControl(bed);
  // What a careless program prints, made by us: its own text must not hold the secret.
  const wrapped = base64(`before ${CANARY} after, and more so that it is wrapped`).replace(/.{20}/g, "$&\n");
  mkdirSync(bed.path("forms"));
  const whole = [0, 1, 2].map((n) => [`base64 at ${n}`, base64(`${"x".repeat(n)}${CANARY}yy`)]);
  for (const [name, form] of Object.entries({ ...FORMS, ...Object.fromEntries(whole), wrapped })) {
    writeFileSync(bed.path("forms", name.replaceAll(/\W/g, "_")), `${name}: ${form} end\n`);
  }
});
afterEach(() => bed.end());

async function submit(file: string): Promise<string> {
  const { code, stdout, stderr } = await bed.run(["job", "submit", "-f", file, "--json"], {
    ...control.admin(),
    CANARY_SOURCE: CANARY,
  });
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout).job;
}

async function searchEverything(job: string, stateDir: string, seen: readonly string[], runnerErr: () => string) {
  const get = async (path: string) =>
    (
      await fetch(`${control.url}/api/v1${path}`, {
        headers: { Authorization: `Bearer ${control.admin().RUNNER_ADMIN_KEY}` },
      })
    ).text();
  for (const path of [
    `/jobs/${job}`,
    "/jobs",
    "/events",
    "/workspaces",
    `/jobs/${job}/logs?format=text`,
    `/jobs/${job}/logs?format=ndjson`,
  ]) {
    const text = await get(path);
    if (path !== "/workspaces") expect(text.length).toBeGreaterThan(2);
    expect([path, ...formsIn(text)]).toEqual([path]);
  }
  expect(formsIn(seen.join("\n"))).toEqual([]);
  expect(formsIn(runnerErr())).toEqual([]);
  expect(formsIn(control.proc.stderr())).toEqual([]);
  expect(filesWith(stateDir, formsIn)).toEqual([]);
  expect(filesWith(bed.path("coordinator"), formsIn, /^coordinator\.db/)).toEqual([]);
  await control.proc.kill9();
}

async function watchUntilEnded(job: string, mark: () => Promise<boolean>): Promise<string[]> {
  const seen = new Set<string>();
  await until("the job has ended", async () => {
    for (const line of commandLines()) seen.add(line);
    return mark();
  });
  await control.ended(job);
  return [...seen];
}
const isOver = (job: string) => async () => ["finished", "failed"].includes((await control.show(job)).status);

test("an action that prints its secret in every form and in pieces: found nowhere but in its wire documents", async () => {
  const runner = await addRunner(bed, control, { flags: ["--log-level", "debug", "--log-interval", "20ms"] });
  writeFileSync(
    bed.path("leaky.yaml"),
    `type: actions-workflow
name: leaky
spec:
  env:
    PLAIN_NAME: { env: CANARY_SOURCE }
  steps:
    - name: print
      run: |
        echo "raw $PLAIN_NAME end"
        echo "to stderr $PLAIN_NAME" >&2
        cat "${bed.path("forms")}"/*
        printf '%s' "$PLAIN_NAME" | base64 -w0; echo
        printf 'x%s' "$PLAIN_NAME" | base64 -w0; echo
        printf 'xx%s' "$PLAIN_NAME" | base64 -w20
        # In pieces, further apart than a tick of the log.
        head=$(printf '%s' "$PLAIN_NAME" | cut -c1-9); printf '%s' "$head"; sleep 0.4; printf '%s\\n' "\${PLAIN_NAME#"$head"}"
        env
        echo "marker: all printed"
    - name: fail
      run: |
        echo "$PLAIN_NAME" >&2
        exit 3
`,
  );
  const job = await submit(bed.path("leaky.yaml"));
  const seen = await watchUntilEnded(job, isOver(job));
  expect((await control.show(job)).status).toBe("failed");
  const log = await control.log(job);
  expect(log).toContain("marker: all printed");
  expect(log.match(/\[redacted\]/g)?.length).toBeGreaterThan(8);
  await searchEverything(job, runner.stateDir, seen, runner.proc.stderr);
  expect(columnsWith(bed.path("coordinator", "coordinator.db"), formsIn)).toEqual(["documents.json", "plans.text"]);
}, 60_000);

const MODULE = `
variable "colour" {
  type      = string
  sensitive = true
}
variable "strict" {
  type    = bool
  default = false
}
resource "terraform_data" "one" {
  input = var.colour
  provisioner "local-exec" {
    command     = "echo marker \\"$C\\"; echo \\"$C\\" >&2; cat '%FORMS%'/*"
    environment = { C = nonsensitive(var.colour) }
  }
  lifecycle {
    precondition {
      condition     = !var.strict
      error_message = "not with \${nonsensitive(var.colour)}"
    }
  }
}
output "shown" {
  value     = terraform_data.one.output
  sensitive = true
}
output "open" { value = "open" }
`;

for (const strict of [false, true]) {
  const what = strict ? "that fails with the secret in its error" : "with a sensitive variable and output";
  terraformTest(
    `a terraform change ${what}: found nowhere but in wire documents and state`,
    async () => {
      const runner = await addRunner(bed, control, { flags: ["--log-level", "debug"] });
      mkdirSync(bed.path("module"));
      writeFileSync(bed.path("module", "main.tf"), MODULE.replace("%FORMS%", bed.path("forms")));
      writeFileSync(
        bed.path("tf.yaml"),
        `type: terraform-deploy\nname: tf\nspec:\n  source: { path: ./module }\n  version: 1.11.4\n  workspace: w\n  vars: { colour: { env: CANARY_SOURCE }, strict: ${strict} }\n`,
      );
      const job = await submit(bed.path("tf.yaml"));
      const seen = await watchUntilEnded(job, isOver(job));
      const doc = await control.show(job);
      expect(doc.status).toBe(strict ? "failed" : "finished");
      if (strict) expect(await control.log(job)).toContain("not with [redacted]");
      else {
        expect(doc.outputs).toEqual({ open: "open", shown: "[redacted]" });
        expect(await control.log(job)).toContain("[redacted]");
      }
      await searchEverything(job, runner.stateDir, seen, runner.proc.stderr);
      const wire = [
        "documents.json",
        "executions.outputs",
        "executions.result",
        "plans.text",
        "state_json.json",
        "states.body",
      ];
      const found = columnsWith(bed.path("coordinator", "coordinator.db"), formsIn);
      expect(found).toContain("plans.text");
      expect(found.filter((column) => !wire.includes(column))).toEqual([]);
    },
    60_000,
  );
}
