import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkNamed } from "./check-named.ts";
import { readJob } from "./submit.ts";

const base = mkdtempSync(join(tmpdir(), "check-named-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
mkdirSync(join(base, "repo/modules/net"), { recursive: true });
writeFileSync(join(base, "repo/modules/main.tf"), "");

test.each([
  ["root: ./repo, path: modules/net", null],
  ["root: ./repo, path: .", null],
  ["root: ./repo, path: ../../etc", 'spec.source.path: "../../etc" leads out of root'],
  ["root: ./repo, path: ../repository", "leads out of root"],
  ["root: ./repo, path: modules/none", "repo/modules/none does not exist"],
  ["root: ./repo, path: modules/main.tf", "is not a folder"],
  ["root: ./none, path: .", "none does not exist"],
])("the source { %s } is checked before anything is sent", async (source, fault) => {
  const file = join(base, "job.yaml");
  writeFileSync(file, `type: terraform-deploy\nspec: { workspace: w, source: { ${source} } }\n`);
  const input = await readJob(file, base);
  const check = () => checkNamed(input, "job.yaml", {});
  if (fault === null) check();
  else expect(check).toThrow(fault);
});
