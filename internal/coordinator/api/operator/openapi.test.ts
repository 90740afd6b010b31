import { expect, test } from "bun:test";

const SCRIPT = `
  await import("./internal/protocol/operator.ts");
  const { openApiDocument } = await import("./internal/coordinator/api/operator/openapi.ts");
  console.log(Object.keys(openApiDocument().components?.schemas ?? {}).join(" "));
`;

test("the API has its names whatever was loaded before it", () => {
  const root = new URL("../../../../", import.meta.url).pathname;
  const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, "-e", SCRIPT], { cwd: root });
  expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout.toString().trim().split(" ")).toContain("JobShow");
});
