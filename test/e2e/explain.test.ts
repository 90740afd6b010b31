import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { z } from "zod";
import { parseJobFile } from "../../internal/protocol/job-file-parse.ts";
import { makeBed } from "../faults/lib/processes.ts";

const bed = makeBed();
afterAll(() => bed.end());
const listed: { type: string; summary: string; built: boolean }[] = JSON.parse(
  (await bed.run(["explain", "--json"])).stdout,
);
const built = listed.filter((one) => one.built).map((one) => one.type);

describe("`runner explain`", () => {
  test("lists every job type with one line, those with a job file first", async () => {
    const { code, stdout } = await bed.run(["explain"]);
    expect(code).toBe(0);
    const [has = "", later = ""] = stdout.split("Not built into this version:");
    for (const { type, built: is } of listed) expect(is ? has : later).toContain(`  ${type} `);
    for (const { summary } of listed) expect(stdout).toContain(summary);
    expect(built).toContain("terraform-deploy");
  });

  for (const type of built) {
    test(`${type}: the example it prints is a valid job file of this type`, async () => {
      const { code, stdout } = await bed.run(["explain", type]);
      expect(code).toBe(0);
      const example = stdout.slice(stdout.indexOf("Example:\n\n") + "Example:\n\n".length);
      const parsed = parseJobFile(example, "example.yaml");
      expect(parsed.ok ? parsed.value.file.type : parsed.error.message).toBe(type as never);
      const schema = z.fromJSONSchema(JSON.parse((await bed.run(["explain", type, "--json"])).stdout));
      expect(schema.safeParse(Bun.YAML.parse(example)).error?.issues).toBeUndefined();
    });

    test(`${type}: every key says what it takes and what it means`, async () => {
      const { stdout } = await bed.run(["explain", type]);
      const keys = stdout.slice(stdout.indexOf("required):\n"), stdout.indexOf("\nExample:")).split("\n").slice(1);
      const rows = keys.filter((line) => /^ {2}\S/.test(line));
      expect(rows.length).toBeGreaterThan(5);
      for (const row of rows) {
        expect(row.trim().split(/ {2,}/).length).toBe(2);
        expect(`${row}: ${keys[keys.indexOf(row) + 1] ?? ""}`).toMatch(/: {5,}\S/);
      }
    });
  }

  test("a key that a schema refuses is refused by the job file too", async () => {
    const schema = z.fromJSONSchema(JSON.parse((await bed.run(["explain", "terraform-deploy", "--json"])).stdout));
    const wrong = { type: "terraform-deploy", spec: { workspace: "a", source: { path: "." }, verifi: true } };
    expect(schema.safeParse(wrong).success).toBe(false);
    expect(parseJobFile(JSON.stringify(wrong), "job.json").ok).toBe(false);
  });

  test("does not call the types unbuilt whose job file is their name alone, and they are whole job files", async () => {
    const { stdout } = await bed.run(["explain"]);
    const [, alone = ""] = stdout.split("`type: NAME` is a whole job file.\n");
    const types = [...alone.matchAll(/^ {2}(\S+) /gm)].map(([, type = ""]) => type);
    expect(types).toContain("mng-runner-update-version");
    for (const type of types) {
      expect(parseJobFile(`type: ${type}\n`, "job.yaml").ok).toBe(true);
      expect((await bed.run(["explain", type])).stderr).toContain(`\`type: ${type}\` is a whole job file.`);
    }
  });

  test("a type that is misspelt is answered with the near one, exit code 2", async () => {
    const { code, stderr } = await bed.run(["explain", "terrafrom-deploy"]);
    expect([code, stderr.trimEnd().split("\n").at(-1)]).toEqual([
      2,
      "  → Did you mean `runner explain terraform-deploy`?",
    ]);
  });

  test("a type of a later version says so, exit code 2", async () => {
    const later = listed.find((one) => !one.built);
    const { code, stderr } = await bed.run(["explain", later?.type ?? ""]);
    expect(code).toBe(2);
    expect(stderr).toContain(`job type ${later?.type} is not built into this version`);
  });
});

describe("`runner config`", () => {
  test("shows each value with its source, and a secret only as set", async () => {
    writeFileSync(bed.path("c.yaml"), "min-free: 3MiB\n");
    const env = { RUNNER_API_TOKEN: "hunter2-hunter2", RUNNER_MODE: "org", RUNNER_CONFIG: "c.yaml" };
    const { code, stdout, stderr } = await bed.run(["config", "run", "--log-cap", "2GiB"], env);
    expect([code, stderr]).toEqual([0, ""]);
    const row = (name: string) =>
      stdout
        .split("\n")
        .find((line) => line.startsWith(`${name} `))
        ?.split(/ {2,}/);
    expect(row("api-token")).toEqual(["api-token", "set", "env RUNNER_API_TOKEN"]);
    expect(row("mode")).toEqual(["mode", "org", "env RUNNER_MODE"]);
    expect(row("min-free")).toEqual(["min-free", "3MiB", `file ${bed.path("c.yaml")}`]);
    expect(row("log-cap")).toEqual(["log-cap", "2GiB", "flag --log-cap"]);
    expect(row("log-interval")).toEqual(["log-interval", "250ms", "default"]);
    expect(stdout).not.toContain("hunter2");
  });

  test("with --json gives one document on one line, in which no secret stands", async () => {
    const { stdout } = await bed.run(["config", "--json"], { RUNNER_ADMIN_KEY: "hunter2-hunter2" });
    expect(stdout.trimEnd().split("\n").length).toBe(1);
    const document = JSON.parse(stdout);
    expect(document["admin-key"]).toEqual({ secret: true, set: true, source: "env", from: "RUNNER_ADMIN_KEY" });
    expect(document["api-token"]).toEqual({ secret: true, set: false, source: "default" });
    expect(stdout).not.toContain("hunter2");
  });

  test("its values, written into a config file, give the same configuration", async () => {
    const flags = [
      "--min-free",
      "1500MB",
      "--concurrency",
      "deploy=3,all=1",
      "--label",
      "site=eu-1",
      "--listen",
      "[::1]:9",
    ];
    const first = JSON.parse((await bed.run(["config", "--json", ...flags])).stdout) as Record<
      string,
      { value: unknown }
    >;
    const lines = Object.entries(first).flatMap(([key, { value }]) =>
      value === null || value === undefined ? [] : [`${key}: ${JSON.stringify(value)}`],
    );
    writeFileSync(bed.path("again.yaml"), lines.join("\n"));
    const second = JSON.parse((await bed.run(["config", "--json", "--config", "again.yaml"])).stdout) as typeof first;
    const values = (document: typeof first) => Object.entries(document).map(([key, { value }]) => [key, value]);
    expect(values(second)).toEqual(values(first));
  });

  test("an unknown command is answered with the near one, exit code 2", async () => {
    const { code, stderr } = await bed.run(["config", "job", "submitt"]);
    expect([code, stderr.trimEnd().split("\n").at(-1)]).toEqual([2, "  → Did you mean `runner config job submit`?"]);
  });
});
