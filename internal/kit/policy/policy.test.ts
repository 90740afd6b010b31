import { describe, expect, test } from "bun:test";
import { decide } from "./decide.ts";
import type { JobFacts } from "./facts.ts";
import { globMatches } from "./glob.ts";
import { jobFacts } from "./job-facts.ts";
import { gitPlace, imageFact, sourceFact } from "./places.ts";
import { withPlan, withTerraformPlan } from "./planned-facts.ts";
import { readPolicy } from "./read-policy.ts";
import type { Policy } from "./schema.ts";

const NOW = Date.parse("2026-11-20T10:00:00Z"); // a Friday

const policy = (text: string): Policy => {
  const read = readPolicy(text, "policy.yaml");
  if (!read.ok) throw read.error;
  return read.value;
};
const faultOf = (text: string): string => {
  const read = readPolicy(text, "policy.yaml");
  return read.ok ? "none" : read.error.message;
};
const facts = (type: string, plan: unknown, operation = "exec"): JobFacts =>
  jobFacts({ type, operation, plan, actionConfig: null, controlPlane: ["127.0.0.1:8080"] });

const rules = (...lines: readonly string[]) => policy(`version: 1\ndefault: deny\nrules:\n${lines.join("\n")}\n`);

describe("patterns", () => {
  test.each([
    ["github.com/acme/*", "github.com/acme/app", true],
    ["github.com/acme/*", "github.com/acme/app/sub", false],
    ["github.com/acme/**", "github.com/acme/app/sub", true],
    ["github.com/acme/**", "github.com/acmeevil/app", false],
    ["a?c", "abc", true],
    ["a?c", "a/c", false],
    ["a.c", "abc", false],
    ["", "", true],
    ["*", "", true],
    ["(a+)+$", "(a+)+$", true],
  ])("%s fits %s: %p", (pattern, text, fits) => {
    expect(globMatches(pattern, text)).toBe(fits);
  });

  test("no pattern takes long, however it is made", () => {
    const pattern = "*a".repeat(150);
    // A matcher that tries every way would not end within the life of the machine.
    expect(globMatches(pattern, `${"a".repeat(16_000)}b`)).toBe(false);
  });
});

describe("a policy file", () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${"bcdefghi"
    .split("")
    .map((name, at) => `${name}: &${name} [${Array(10).fill(`*${"abcdefgh"[at]}`).join(",")}]`)
    .join("\n")}\n`;
  test.each([
    ["", "empty"],
    ["# nothing\n", "empty"],
    ["[1", "not YAML"],
    [bomb, "Excessive aliasing"],
    [`version: 1\ndefault: deny\n# ${"x".repeat(300_000)}\n`, "larger than 256 KiB"],
    ["version: 2\ndefault: deny\n", "version"],
    ["version: 1\n", "default"],
    ["version: 1\ndefault: deny\nruls: []\n", 'did you mean "rules"'],
    ["version: 1\ndefault: deny\nrules:\n  - { name: a, effect: deny }\n", "needs a reason"],
    [
      "version: 1\ndefault: deny\nrules:\n  - { name: a, effect: allow, when: { types: [terraform] } }\n",
      "no job type",
    ],
    [
      "version: 1\ndefault: deny\nrules:\n  - { name: a, effect: allow, when: { times: [{ zone: Mars/Base }] } }\n",
      "no time zone",
    ],
    [
      "version: 1\ndefault: deny\nrules:\n  - { name: a, effect: allow }\n  - { name: a, effect: allow, when: { types: [script] } }\n",
      "two of this name",
    ],
    [
      "version: 1\ndefault: deny\nrules:\n  - { name: a, effect: allow }\n  - { name: b, effect: deny, reason: no, when: { types: [script] } }\n",
      "rule b: never decides",
    ],
    [
      "version: 1\ndefault: allow\nrules:\n  - { name: a, effect: allow, when: { types: [script] } }\n  - { name: b, effect: deny, reason: no, when: { types: [script] } }\n",
      "same conditions",
    ],
  ])("that cannot be meant is refused: %#", (text, why) => {
    expect(faultOf(text)).toContain(why);
  });
});

describe("names of the same place are one name", () => {
  test.each([
    ["https://user:pass@GitHub.com/acme/app.git", "github.com/acme/app"],
    ["git@github.com:acme/app.git", "github.com/acme/app"],
    ["ssh://git@github.com/acme/app", "github.com/acme/app"],
    ["https://github.com:8443/acme//app/", "github.com:8443/acme/app"],
    ["https://github.com/acme/../evil/app", "github.com/evil/app"],
    ["https://github.com/acme/%2e%2e/evil/app", "github.com/evil/app"],
    ["https://github.com/acme/..%2fevil/app", "(not understood)"],
    ["https://github.com@evil.example/acme/app", "evil.example/acme/app"],
    ["/srv/git/app.git", "file/srv/git/app"],
  ])("%s is %s", (url, place) => {
    expect(gitPlace(url)).toBe(place);
  });

  test("an image without a host is one of Docker's", () => {
    expect(imageFact("alpine:3").place).toBe("docker.io/library/alpine");
    for (const other of ["Index.Docker.IO/library/alpine", "registry-1.docker.io./alpine", "docker.io:443/alpine:3"]) {
      expect(imageFact(other).place).toBe("docker.io/library/alpine");
    }
    const artifact = (LoginServer: string, Repository: string) =>
      sourceFact(null, { LoginServer, Repository }, "1", []);
    for (const [server, repository] of [
      ["GHCR.io:443", "team/app"],
      ["https://ghcr.io./", "team/app"],
      ["", "ghcr.io.:443/team/app"],
    ] as const) {
      expect(artifact(server, repository)).toMatchObject({ place: "ghcr.io/team/app" });
    }
    expect(gitPlace("https://github.com./a/b")).toBe("github.com/a/b");
    expect(gitPlace("ssh://git@github.com:22/a/b.git")).toBe("github.com/a/b");
    expect(gitPlace("git@GitHub.com.:a/b")).toBe("github.com/a/b");
    expect(imageFact(`ghcr.io/a/b@sha256:${"a".repeat(64)}`)).toEqual({ place: "ghcr.io/a/b", pinned: true });
  });
});

describe("the first rule that is about the job decides", () => {
  test("and where none is, the default does", () => {
    const of = (text: string) => decide(policy(text), facts("noop", null), NOW);
    expect(of("version: 1\ndefault: deny\n")).toMatchObject({ verdict: "deny", rule: "default" });
    expect(of("version: 1\ndefault: allow\n")).toMatchObject({ verdict: "allow", rule: "default" });
  });

  test("in the order of the file", () => {
    const text = rules(
      "  - { name: no-shell, effect: deny, reason: nobody reads it, when: { commands: ['script shell'] } }",
      "  - { name: scripts, effect: allow, when: { types: [script] } }",
    );
    expect(decide(text, facts("script", { language: "shell", code: "x" }), NOW)).toMatchObject({
      verdict: "deny",
      rule: "no-shell",
      reason: 'nobody reads it (command "script shell")',
    });
    expect(decide(text, facts("script", { language: "python", code: "x" }), NOW)).toMatchObject({ rule: "scripts" });
  });

  test("and its reason never shows a part of a word", () => {
    const text = rules("  - { name: none, effect: deny, reason: no, when: { commands: ['*'] } }");
    const plan = { steps: [{ interpolated_command: `curl --header ${"s".repeat(200)}` }] };
    expect(decide(text, facts("actions-workflow", plan), NOW).reason).toBe('no (command "curl …")');
  });

  test("one that allows is about a job only when all of it fits", () => {
    const text = rules("  - { name: ours, effect: allow, when: { sources: [{ git: 'github.com/acme/**' }] } }");
    const step = (url: string) => ({ git_source: { url, ref: "main" }, interpolated_command: "make" });
    const of = (...urls: readonly string[]) => decide(text, facts("actions-workflow", { steps: urls.map(step) }), NOW);
    expect(of("https://github.com/acme/a", "https://github.com/acme/b").verdict).toBe("allow");
    expect(of("https://github.com/acme/a", "https://evil.example/b").verdict).toBe("deny");
    // A job without sources is not one whose sources are all allowed.
    expect(decide(text, facts("noop", null), NOW).verdict).toBe("deny");
  });

  test("a repository that may bring others is not allowed by its own name", () => {
    const plan = {
      language: "shell",
      file: "x",
      git_source: { url: "https://github.com/acme/a", recurse_submodules: true },
    };
    const without = rules("  - { name: a, effect: allow, when: { sources: [{ git: 'github.com/acme/**' }] } }");
    const withThem = rules(
      "  - { name: a, effect: allow, when: { sources: [{ git: 'github.com/acme/**', submodules: true }] } }",
    );
    expect(decide(without, facts("script", plan), NOW).verdict).toBe("deny");
    expect(decide(withThem, facts("script", plan), NOW).verdict).toBe("allow");
  });

  test("an image without a digest is refused where one is asked for", () => {
    const text = rules(
      "  - { name: ours, effect: allow, when: { images: [{ image: 'registry.acme.example/**', pinned: true }] } }",
    );
    const of = (image: string) => decide(text, facts("container", { image }), NOW).verdict;
    expect(of(`registry.acme.example/app@sha256:${"0".repeat(64)}`)).toBe("allow");
    expect(of("registry.acme.example/app:1")).toBe("deny");
    expect(of("alpine")).toBe("deny");
  });

  test("a packed folder is one only on the control plane itself", () => {
    const text = rules("  - { name: packed, effect: allow, when: { sources: [{ packed: true }] } }");
    const of = (LoginServer: string) =>
      decide(
        text,
        facts("script", {
          language: "shell",
          file: "x",
          source: { registry: { LoginServer, Repository: `sources/${"a".repeat(16)}` }, tag: "a" },
        }),
        NOW,
      ).verdict;
    expect(of("http://127.0.0.1:8080")).toBe("allow");
    expect(of("evil.example")).toBe("deny");
  });

  test("a window is one of its own time zone, also past midnight", () => {
    const nights = rules(
      "  - { name: night, effect: allow, when: { times: [{ days: [fri], from: '22:00', to: '06:00', zone: Europe/Berlin }] } }",
    );
    const at = (time: string) => decide(nights, facts("noop", null), Date.parse(time)).verdict;
    expect(at("2026-11-20T21:30:00Z")).toBe("allow"); // Friday 22:30 there
    expect(at("2026-11-21T04:59:00Z")).toBe("allow"); // Saturday 05:59, of Friday's night
    expect(at("2026-11-21T05:00:00Z")).toBe("deny");
    expect(at("2026-11-20T20:30:00Z")).toBe("deny"); // 21:30 there
    expect(at("2026-11-21T21:30:00Z")).toBe("deny"); // Saturday's night
  });
});

describe("what a tool plans", () => {
  const guard = policy(
    [
      "version: 1",
      "default: allow",
      "rules:",
      "  - name: keep-databases",
      "    effect: deny",
      "    reason: databases are removed by hand",
      "    when: { terraform: { resources: ['aws_db_*'], actions: [delete] } }",
    ].join("\n"),
  );
  const plan = (actions: readonly string[], type = "aws_db_instance") =>
    JSON.stringify({ format_version: "1.2", resource_changes: [{ address: `${type}.a`, type, change: { actions } }] });
  const before = facts("terraform-deploy", { terraform: {}, src_git: { url: "https://x.example/a" } }, "apply-plan");

  test("is waited for where it counts", () => {
    expect(decide(guard, before, NOW)).toMatchObject({ verdict: "later", rule: "keep-databases" });
  });

  test("a replacement is a removal", () => {
    const seen = withTerraformPlan(before, plan(["delete", "create"]));
    expect(decide(guard, seen, NOW, true)).toMatchObject({ verdict: "deny", rule: "keep-databases" });
    expect(decide(guard, withTerraformPlan(before, plan(["update"])), NOW, true).verdict).toBe("allow");
    expect(decide(guard, withTerraformPlan(before, plan(["delete"], "null_resource")), NOW, true).verdict).toBe(
      "allow",
    );
  });

  test("a plan that cannot be read is no plan without removals", () => {
    const seen = withTerraformPlan(before, "{}");
    expect(decide(guard, seen, NOW, true)).toMatchObject({ verdict: "deny", rule: "keep-databases" });
  });

  test("a job that every later rule refuses too is not kept waiting for it", () => {
    const text = rules(
      "  - { name: a, effect: deny, reason: no, when: { terraform: { actions: [delete] } } }",
      "  - { name: b, effect: allow, when: { types: [helm-chart-deploy] } }",
    );
    expect(decide(text, before, NOW)).toMatchObject({ verdict: "deny", rule: "default" });
  });

  test("objects of a helm plan are seen by namespace and kind", () => {
    const text = policy(
      "version: 1\ndefault: allow\nrules:\n  - { name: system, effect: deny, reason: not yours, when: { kubernetes: { namespaces: [kube-system, ''] } } }\n",
    );
    const start = facts("helm-chart-deploy", { helm: { name: "a", namespace: "team" } }, "create-apply-plan");
    const contents = (namespace: string) =>
      Buffer.from(
        Bun.gzipSync(
          JSON.stringify({ op: "install", helm_content_diff: [{ kind: "Role", name: "r", namespace, entries: [] }] }),
        ),
      ).toString("base64url");
    expect(decide(text, start, NOW).verdict).toBe("later");
    const of = (namespace: string) =>
      decide(text, withPlan(start, { contents: contents(namespace), display: "" }), NOW, true).verdict;
    expect(of("team")).toBe("allow");
    expect(of("kube-system")).toBe("deny");
    expect(of("")).toBe("deny");
  });

  test("what nothing tells beforehand counts against the job", () => {
    const text = policy(
      "version: 1\ndefault: allow\nrules:\n  - { name: hub, effect: deny, reason: no hub, when: { images: ['docker.io/**'] } }\n",
    );
    const chart = facts("helm-chart-deploy", { helm: { name: "a" } }, "create-apply-plan");
    expect(decide(text, chart, NOW)).toMatchObject({ verdict: "deny", rule: "hub" });
    expect(decide(text, chart, NOW).reason).toContain("cannot be known beforehand");
  });
});
