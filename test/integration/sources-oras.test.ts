import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { artifactSource, pullArtifact } from "../../internal/kit/oci/index.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { goProgram } from "../bed/go-program.ts";
import { type Registry, registryMissing, startRegistry } from "../bed/registry.ts";
import { pax, tar } from "../lib/tar.ts";

const oras = goProgram("oras");
const inCi = process.env.CI === "true";

describe.skipIf((oras === null || registryMissing() !== null) && !inCi)(
  "an artifact that oras pushed to a registry",
  () => {
    const user = { name: "bot", password: "pass word" };
    let registry: Registry;
    let base: string;
    const at = (...parts: string[]) => join(base, ...parts);
    beforeAll(async () => {
      registry = await startRegistry({ user });
    });
    afterAll(() => registry.end());
    beforeEach(() => {
      base = mkdtempSync(join(tmpdir(), "sources-oras-"));
      mkdirSync(at("module"));
      writeFileSync(at("module/main.tf"), 'output "x" {}\n');
      writeFileSync(at("module/run.sh"), "#!/bin/sh\n", { mode: 0o755 });
      writeFileSync(at("README.md"), "read me\n");
    });
    afterEach(() => rmSync(base, { recursive: true, force: true }));

    const push = (...names: string[]) => {
      const login = ["--plain-http", "--username", user.name, "--password-stdin"];
      const done = Bun.spawnSync([oras ?? "", "push", ...login, `${registry.host}/team/module:1`, ...names], {
        cwd: base,
        stdin: Buffer.from(user.password),
        env: { HOME: base },
      });
      if (!done.success) throw new Error(done.stderr.toString());
    };
    const pull = (password = user.password) =>
      pullArtifact(
        artifactSource(
          {
            RegistryType: "private_oci",
            LoginServer: registry.host,
            Repository: "team/module",
            OCIAuth: { Username: user.name, Password: password },
          },
          "1",
        ),
        at("into"),
      );
    async function refusal(work: Promise<unknown>): Promise<RunnerError> {
      try {
        await work;
      } catch (error) {
        if (error instanceof RunnerError) return error;
        throw error;
      }
      throw new Error("it was pulled");
    }

    test("is unpacked, a folder beside a file, with the modes it had", async () => {
      symlinkSync("main.tf", at("module/link"));
      push("module/", "README.md");
      expect((await pull()).files).toBe(3);
      expect(readdirSync(at("into"), { recursive: true }).map(String).sort()).toEqual([
        "README.md",
        "module",
        "module/link",
        "module/main.tf",
        "module/run.sh",
      ]);
      expect(statSync(at("into/module/run.sh")).mode & 0o777).toBe(0o755);
      expect(readFileSync(at("into/module/link"), "utf8")).toContain("output");
    });

    test("is refused with one line when the password is wrong", async () => {
      push("README.md");
      const { kind, message } = await refusal(pull("wrong"));
      expect([kind, message]).toEqual(["refused", expect.not.stringContaining("wrong")]);
    });

    test("is refused when a link in it leads out, and nothing of it stays", async () => {
      symlinkSync("/etc/passwd", at("module/out"));
      push("module/");
      expect((await refusal(pull())).message).toContain('the link "module/out" leads out of the folder');
      expect(readdirSync(base).sort()).toEqual(["README.md", "module"]);
    });

    test("is refused when its archive was made by hand to lead out", async () => {
      const evil = tar([pax({ path: "module/../../escaped" }), { name: "module/a", content: "evil" }]);
      writeFileSync(at("evil.tgz"), Bun.gzipSync(evil));
      const annotations = {
        "evil.tgz": { "io.deis.oras.content.unpack": "true", "org.opencontainers.image.title": "module" },
      };
      writeFileSync(at("annotations.json"), JSON.stringify(annotations));
      push("--annotation-file", "annotations.json", "evil.tgz");
      expect((await refusal(pull())).message).toContain('"module/../../escaped"');
      expect(readdirSync(base)).not.toContain("escaped");
      expect(readdirSync(base)).not.toContain("into");
    });
  },
);
