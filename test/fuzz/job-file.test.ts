import { describe, expect, test } from "bun:test";
import { compileSubmission, parseSubmission } from "../../internal/coordinator/compile/compile.ts";
import { JOB_TYPES } from "../../internal/protocol/enums.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { parseJobDocument, parseJobFile } from "../../internal/protocol/job-file-parse.ts";
import type { Submission } from "../../internal/protocol/operator.ts";
import { seeded } from "../lib/seeded.ts";

const DIGEST = `sha256:${"0f".repeat(32)}`;
const FILES = [
  `type: terraform-deploy
operation: apply
approval: required
name: network
timeout: 30m
retry: { attempts: 2 }
requires: { arch: amd64, gpus: 1, labels: { site: eu-1 } }
spec:
  source: { root: .., path: modules/net, include: ["**"] }
  version: 1.11.4
  workspace: network
  vars: { cidr: 10.0.0.0/16, list: [1, 2.5, true, null], map: { a: { b: c } } }
  env: { TOKEN: { env: T } }
  verify: true
`,
  `type: actions-workflow
spec:
  env: { WHO: world, N: 5 }
  steps:
    - { name: greet, source: { path: ./scripts }, command: ./greet.sh --loud "two words" }
    - name: out
      source: { git: { url: https://example.com/a.git, ref: main } }
      run: |
        echo "answer=42" >> "$RUNNER_OUTPUT"
`,
  "type: shut-down\nspec: { shutdown_type: force }\n",
  'type: oci-sync\nplan: { src_tag: "a", src_registry: { OCIAuth: null } }\n',
];
const STRANGE: readonly unknown[] = [
  null,
  undefined,
  "",
  0,
  -1,
  1e300,
  Number.NaN,
  2 ** 60,
  true,
  [],
  {},
  [[]],
  "\0",
  "../..",
  "x".repeat(5_000),
  { __proto__: null },
  { env: 5 },
  JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}'),
];

/** What a refusal must be: usage, in the words of the file, of bounded size. */
function checkRefusal(error: unknown, source: string): void {
  expect(error).toBeInstanceOf(RunnerError);
  if (!(error instanceof RunnerError)) return;
  expect(error.kind).toBe("usage");
  expect(error.message.length).toBeLessThan(20_000);
  for (const line of error.message.split("\n")) expect(line.startsWith(source) || line.startsWith("… and")).toBe(true);
}

describe("a damaged job file", () => {
  test("is accepted or refused with the file's name, cut at every byte", () => {
    for (const text of FILES) {
      for (let end = 0; end <= text.length; end++) {
        const parsed = parseJobFile(text.slice(0, end), "f.yaml");
        if (!parsed.ok) checkRefusal(parsed.error, "f.yaml: ");
      }
    }
  });

  test("is accepted or refused with the file's name, with any bytes changed", () => {
    const random = seeded(7);
    const alphabet = "{}[]:,&*!|>-'\"#%@`\\\n\t 0aé\u0000";
    for (let round = 0; round < 4_000; round++) {
      const chars = [...(FILES[random(FILES.length)] ?? "")];
      for (let hits = 1 + random(4); hits > 0; hits--)
        chars[random(chars.length)] = alphabet[random(alphabet.length)] ?? "";
      const parsed = parseJobFile(chars.join(""), "f.yaml");
      if (!parsed.ok) checkRefusal(parsed.error, "f.yaml: ");
    }
  });
});

/** Every place of a document, as paths of keys. */
function placesOf(value: unknown, path: readonly string[] = []): string[][] {
  if (value === null || typeof value !== "object") return [[...path]];
  return [[...path], ...Object.entries(value).flatMap(([key, inner]) => placesOf(inner, [...path, key]))];
}

function replaced(value: unknown, path: readonly string[], by: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return by;
  if (Array.isArray(value)) return value.map((inner, i) => (String(i) === key ? replaced(inner, rest, by) : inner));
  const map = value !== null && typeof value === "object" ? value : {};
  return { ...map, [key]: replaced(Reflect.get(map, key), rest, by) };
}

describe("a submission", () => {
  const documents = FILES.map((text) => {
    const parsed = parseJobFile(text, "f.yaml");
    if (!parsed.ok) throw parsed.error;
    return parsed.value.document;
  });
  const compile = (job: Record<string, unknown>, more: Partial<Submission>) => {
    const submission: Submission = { job, ...more };
    const parsed = parseSubmission(submission);
    if (!parsed.ok) return parsed;
    const context = { now: 0, workspaceId: (name: string) => name, exactWorkspace: (id: string) => id, https: false };
    return compileSubmission(parsed.value, submission, context);
  };

  test("with something strange at any place is compiled or refused, never half", () => {
    for (const document of documents) {
      for (const path of placesOf(document)) {
        for (const strange of STRANGE) {
          const job = replaced(document, path, strange);
          const parsed = parseJobDocument(job, "job");
          if (!parsed.ok) {
            checkRefusal(parsed.error, "job: ");
            continue;
          }
          const sources = {
            "spec.source": { digest: DIGEST, path: "a" },
            "spec.steps.0.source": { digest: DIGEST, path: "" },
          };
          const compiled = compile(parsed.value.document, { sources });
          if (!compiled.ok) expect(compiled.error.kind).toBe("usage");
          else if (compiled.value.job.plan !== null) expect(JSON.parse(compiled.value.job.plan)).toBeObject();
        }
      }
    }
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });

  test("of every type of the protocol is taken bare or refused by name", () => {
    for (const type of JOB_TYPES) {
      const compiled = compile({ type }, {});
      if (compiled.ok) expect(compiled.value.job.type).toBe(type);
      else expect(compiled.error.message).toContain("spec");
    }
  });
});
