import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { bootScripts } from "../../../scripts/lib/boot-scripts.ts";
import { ROOT } from "../../../scripts/lib/spawn.ts";

/** Shell scripts of the project, by name or by their first line. */
const scripts = Bun.spawnSync(["git", "ls-files", "-z"], { cwd: ROOT })
  .stdout.toString()
  .split("\0")
  .filter((file) => file !== "" && !/\.(ts|tsx|md|json|go|tf|png|snap|yaml)$/.test(file))
  .filter((file) => !file.startsWith("bundle/boot/src/"))
  .filter((file) => /^#! ?(\/usr)?\/bin\/(env )?(ba|da|k)?sh\b/.test(head(file)));

function head(file: string): string {
  try {
    return readFileSync(join(ROOT, file), "utf8").split("\n", 1)[0] ?? "";
  } catch {
    return ""; // a link, or removed in this checkout
  }
}

/** OpenBSD's rc.subr, which no other system has, reads the variables of an rc script and wants `rc_cmd $1` as it is. */
const RC = ["-e", "SC1091,SC2034,SC2086"];

function shellcheck(file: string, text = ""): string {
  const flags = file.includes("/rc.d/") ? RC : [];
  return Bun.spawnSync(["shellcheck", ...flags, file], { cwd: ROOT, stdin: Buffer.from(text) }).stdout.toString();
}

const missing = Bun.which("shellcheck") === null && process.env.CI !== "true";

describe.skipIf(missing)("every shell script passes shellcheck", () => {
  test("there are some", () => expect(scripts).toContain("install.sh"));
  for (const file of scripts) {
    test(file, () => {
      expect(shellcheck(file)).toBe("");
    });
  }
});

test.skipIf(missing)("so does the script in cloud-init.yaml", () => {
  const document = Bun.YAML.parse(readFileSync(`${ROOT}bundle/boot/cloud-init.yaml`, "utf8"));
  const { write_files } = z.object({ write_files: z.array(z.object({ content: z.string() })) }).parse(document);
  const script = write_files.find(({ content }) => content.startsWith("#!"))?.content;
  // The file that it reads is written beside it.
  expect(shellcheck("-", script?.replace(/^\. /m, "# shellcheck disable=SC1091\n. "))).toBe("");
});

test("the boot scripts are those that npm run generate writes", () => {
  for (const [file, text] of bootScripts()) expect(readFileSync(`${ROOT}bundle/boot/${file}`, "utf8")).toBe(text);
});
