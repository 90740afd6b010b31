import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { deployPlan } from "../../internal/protocol/nuon/plans.ts";
import { goProgram } from "../bed/go-program.ts";
import { addRunner, type Control, startControl } from "../faults/lib/control.ts";
import { type Bed, makeBed } from "../faults/lib/processes.ts";
import { createOperator } from "../lib/operator.ts";
import { createRunnerPeer } from "../lib/runner-peer.ts";

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const title = z.strictObject({ "org.opencontainers.image.title": z.string().regex(/^(?!\/)(?!.*\.\.).+/) });
/** The manifest that a Go runner makes and reads (nuon-handlers.md 7.1): no artifactType, a config of two bytes. */
const artifact = z.strictObject({
  schemaVersion: z.literal(2),
  mediaType: z.literal("application/vnd.oci.image.manifest.v1+json"),
  config: z.strictObject({
    mediaType: z.literal("artifact/nuon"),
    digest: z.literal("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    size: z.literal(2),
  }),
  layers: z.array(
    z.strictObject({
      mediaType: z.literal("file/terraform"),
      digest,
      size: z.number().int().min(0),
      annotations: title.loose(),
    }),
  ),
  /** Ours: modes and links, which 7.1 loses. No time of its making, so that the same folder is the same artifact. */
  annotations: z.strictObject({ "runner.modes": z.string(), "runner.extras": z.string() }),
});

const missing = goProgram("oras") === null || goProgram("helm3") === null || goProgram("helm4") === null;
const skip = missing && process.env.CI !== "true";

describe.skipIf(skip)("a folder that a job file packs", () => {
  let bed: Bed;
  let control: Control;
  let reference = "";
  let login: readonly string[] = [];

  beforeAll(async () => {
    bed = makeBed();
    control = await startControl(bed);
    for (const folder of ["chart", "chart/templates"]) mkdirSync(bed.path(folder));
    writeFileSync(bed.path("chart/Chart.yaml"), "apiVersion: v2\nname: web\nversion: 1.2.3\n");
    writeFileSync(bed.path("chart/values.yaml"), "greeting: hello\n");
    writeFileSync(
      bed.path("chart/templates/map.yaml"),
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "{{ .Release.Name }}" }\ndata: { greeting: {{ .Values.greeting | quote }} }\n',
    );
    writeFileSync(bed.path("chart/run.sh"), "#!/bin/sh\n");
    chmodSync(bed.path("chart/run.sh"), 0o755);
    symlinkSync("values.yaml", bed.path("chart/link.yaml"));
    const operator = createOperator({ url: control.url, adminKey: control.admin().RUNNER_ADMIN_KEY ?? "" });
    const peer = await createRunnerPeer(control.url, operator);
    const spec = { source: { path: "./chart" }, release: "web" };
    writeFileSync(bed.path("helm.json"), JSON.stringify({ type: "helm-chart-deploy", operation: "plan", spec }));
    const shown = await control.show(await control.submit(bed.path("helm.json"), peer.id));
    const claim = await peer.claim(shown.jobs[0]?.id ?? "");
    const { src_registry: registry, src_tag: tag } = deployPlan.parse(JSON.parse(claim.plan ?? ""));
    reference = `${new URL(control.url).host}/${registry?.Repository}:${tag}`;
    login = ["--plain-http", "--username", claim.credentials.username, "--password", claim.credentials.password];
  }, 60_000);
  afterAll(() => bed?.end());

  const run = (program: string, ...args: string[]) => {
    const done = Bun.spawnSync([program, ...args], {
      cwd: bed.root,
      env: { HOME: bed.root, PATH: process.env.PATH ?? "" },
    });
    if (!done.success) throw new Error(`${args.join(" ")}: ${done.stderr}`);
    return done.stdout.toString();
  };
  const oras = (...args: string[]) => run(goProgram("oras") ?? "oras", ...args);

  test("is the manifest that a Go runner reads, key by key", () => {
    const manifest = artifact.safeParse(JSON.parse(oras("manifest", "fetch", ...login, reference)));
    expect(manifest.error?.issues ?? []).toEqual([]);
  });

  test("is read back by plain oras, file by file", () => {
    oras("pull", ...login, reference, "--output", "pulled");
    const files = readdirSync(bed.path("pulled"), { recursive: true, withFileTypes: true }).filter((one) =>
      one.isFile(),
    );
    expect(files.map(({ name }) => name).sort()).toContain("map.yaml");
    for (const name of ["Chart.yaml", "values.yaml", "templates/map.yaml", "run.sh"]) {
      expect(readFileSync(bed.path("pulled", name), "utf8")).toBe(readFileSync(bed.path("chart", name), "utf8"));
    }
    expect(statSync(bed.path("pulled")).isDirectory()).toBe(true);
  });

  for (const helm of ["helm3", "helm4"] as const) {
    test(`is a chart to plain ${helm}: shown, packed, linted and rendered`, () => {
      oras("pull", ...login, reference, "--output", helm);
      const program = goProgram(helm) ?? helm;
      expect(run(program, "show", "chart", helm)).toContain("version: 1.2.3");
      run(program, "lint", helm);
      run(program, "package", helm, "--destination", `${helm}-out`);
      expect(run(program, "template", "web", `${helm}-out/web-1.2.3.tgz`)).toContain('greeting: "hello"');
    });
  }
});

test("outputs of an action are the keys of all steps, and a copy of each step's own", async () => {
  const bed = makeBed();
  try {
    const control = await startControl(bed);
    await addRunner(bed, control);
    const steps = [
      { name: "one", run: 'echo "a=1" >> "$RUNNER_OUTPUT"; echo "both=x" >> "$RUNNER_OUTPUT"' },
      { name: "two", run: 'echo "b=2" >> "$RUNNER_OUTPUT"; echo "both=y" >> "$RUNNER_OUTPUT"' },
    ];
    writeFileSync(bed.path("act.json"), JSON.stringify({ type: "actions-workflow", spec: { steps } }));
    const { outputs, reason } = await control.ended(await control.submit(bed.path("act.json")));
    expect(reason).toBe("");
    expect(outputs).toEqual({
      a: "1",
      b: "2",
      both: "y",
      steps: { one: { a: "1", both: "x" }, two: { b: "2", both: "y" } },
    });
  } finally {
    await bed.end();
  }
}, 60_000);
