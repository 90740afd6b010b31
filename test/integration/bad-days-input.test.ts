import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { makeBed } from "../faults/lib/processes.ts";

/**
 * Wrong input through the real command line, as a table: exit code 2, the words that must be said (key, source, what was
 * found, what is allowed, what was probably meant), and no file made or changed.
 */
const bed = makeBed();
afterAll(() => bed.end());
mkdirSync(bed.path("a-folder"));

interface Case {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** File name → text, made before. */
  readonly files?: Readonly<Record<string, string>>;
  /** All of them stand in stderr. */
  readonly says: readonly string[];
}

const FLAGS: Readonly<Record<string, Case>> = {
  "an unknown option": {
    args: ["run", "--concurency", "deploy=2"],
    says: ["--concurency", "runner run", "Did you mean --concurrency?"],
  },
  "an option of another command": {
    args: ["coordinator", "--min-free", "1GiB"],
    says: ["unknown option --min-free of `runner coordinator`"],
  },
  "a word out of a list": {
    args: ["run", "--mode", "instal"],
    says: ["mode (the command line)", '"instal"', "all | install | org | mng", "Did you mean install?"],
  },
  "a group that is none": {
    args: ["run", "--concurrency", "depoly=2"],
    says: ["concurrency (the command line)", "depoly=2", "GROUP one of", "Did you mean deploy?"],
  },
  "a count that is none": { args: ["run", "--concurrency", "deploy=many"], says: ["deploy=many", "N from 0 to 10000"] },
  "a duration above its range": {
    args: ["run", "--drain-timeout", "8d"],
    says: ["drain-timeout (the command line)", '"8d"', "from 0s to 7d"],
  },
  "a duration without its unit": { args: ["run", "--drain-timeout", "30"], says: ['"30"', "for example 90s"] },
  "a duration below its range": { args: ["coordinator", "--lease", "10ms"], says: ['"10ms"', "from 1s to 1d"] },
  "a size below its range": { args: ["run", "--log-cap", "1KiB"], says: ['"1KiB"', "from 1MiB to 1PiB"] },
  "a size without its unit": { args: ["run", "--min-free", "1000"], says: ['"1000"', "for example 256MiB"] },
  "a number above its range": { args: ["job", "list", "--limit", "500"], says: ['"500"', "from 1 to 200"] },
  "an address that is none": { args: ["coordinator", "--listen", "nowhere"], says: ['"nowhere"', "HOST:PORT"] },
  "a URL of another kind": { args: ["run", "--api-url", "ftp://x"], says: ['"ftp://x"', "http or https URL"] },
  "a URL with a password in it": {
    args: ["run", "--api-url", "https://me:pw@host"],
    says: ["api-url (the command line)", "without user or password"],
  },
  "an option given twice": { args: ["run", "--mode", "org", "--mode", "all"], says: ["--mode is given twice"] },
  "an option without its value": { args: ["run", "--mode"], says: ["--mode needs a value"] },
  "one word too many": { args: ["coordinator", "now"], says: ['does not take "now"'] },
};

const ENVIRONMENT: Readonly<Record<string, Case>> = {
  "a word out of a list": {
    args: ["run"],
    env: { RUNNER_MODE: "instal" },
    says: ["mode (environment RUNNER_MODE)", '"instal"', "Did you mean install?"],
  },
  "a yes or no that is neither": {
    args: ["up"],
    env: { RUNNER_ONCE: "maybe" },
    says: ["once (environment RUNNER_ONCE)", '"maybe"', "true or false"],
  },
  "a size of a wrong form": {
    args: ["run"],
    env: { RUNNER_LOG_CAP: "much" },
    says: ["log-cap (environment RUNNER_LOG_CAP)", '"much"', "from 1MiB to 1PiB"],
  },
  "an empty token": {
    args: ["run", "--api-url", "http://127.0.0.1:1", "--runner-id", "x"],
    env: { RUNNER_API_TOKEN: "" },
    says: ["the token of this runner is missing", "RUNNER_API_TOKEN"],
  },
};

const CONFIG: Readonly<Record<string, Case & { text: string }>> = {
  "an unknown key": {
    args: [],
    text: "log_levle: info\n",
    says: ['unknown key "log_levle"', "Did you mean log-level?"],
  },
  "a word out of a list": {
    args: [],
    text: "mode: instal\n",
    says: ["mode (", "c.yaml)", '"instal"', "all | install | org | mng", "Did you mean install?"],
  },
  "a number in place of a duration": { args: [], text: "lease: 5\n", says: ["lease (", "found 5", "from 1s to 1d"] },
  "a list in place of a value": { args: [], text: "lease: [1s]\n", says: ["lease (", '["1s"]', "from 1s to 1d"] },
  "a list at its top": { args: [], text: "- a\n", says: ["found a list", "a mapping of keys to values"] },
  "no YAML": { args: [], text: "a: [\n", says: ["c.yaml cannot be read"] },
};

const steps = 'spec: { steps: [{ name: a, run: "true" }] }\n';
const JOBS: Readonly<Record<string, readonly [text: string, ...says: string[]]>> = {
  "an unknown type": ["type: action-workflow\n", 'unknown value "action-workflow"', 'did you mean "actions-workflow"?'],
  "no type": ["name: x\n", "type is missing", "actions-workflow, script"],
  "an unknown key": [`typ: noop\n`, 'unknown key "typ"', 'did you mean "type"?'],
  "an unknown key deep inside": [
    'type: actions-workflow\nspec: { steps: [{ name: a, run: "true", comand: x }] }\n',
    'spec.steps[0]: unknown key "comand"',
    'did you mean "command"?',
  ],
  "a duration without its unit": [`type: actions-workflow\ntimeout: 30\n${steps}`, "timeout: found 30", "such as 90s"],
  "a duration that is none": [`type: actions-workflow\ntimeout: soon\n${steps}`, "timeout", '"soon"', "90s"],
  "a timeout of nothing": [`type: actions-workflow\ntimeout: 0s\n${steps}`, "timeout: found 0", "between 1s and 7d"],
  "too many attempts": [
    `type: actions-workflow\nretry: { attempts: 99 }\n${steps}`,
    "retry.attempts: found 99",
    "at most 20",
  ],
  "a step without work": [
    "type: actions-workflow\nspec: { steps: [{ name: a }] }\n",
    "spec.steps[0]",
    "exactly one of command and run",
  ],
  "no steps": ["type: actions-workflow\nspec: { steps: [] }\n", "spec.steps: found a list of 0", "at least 1"],
  "steps that are text": ["type: actions-workflow\nspec: { steps: go }\n", 'spec.steps: found "go"', "a list"],
  "a secret reference of no kind": [
    'type: actions-workflow\nspec: { steps: [{ name: a, run: "true", env: { X: { envv: Y } } }] }\n',
    "spec.steps[0].env.X",
    'unknown key "envv"',
    'did you mean "env"?',
  ],
  "a secret that is not set": [
    'type: actions-workflow\nspec: { steps: [{ name: a, run: "true", env: { X: { env: NOT_SET } } }] }\n',
    "spec.steps[0].env.X",
    "NOT_SET is not set",
  ],
  "an operation that is none": [
    "type: terraform-deploy\noperation: aply\nspec: { source: { path: . }, workspace: w }\n",
    'operation: unknown value "aply"',
    'did you mean "apply"?',
  ],
  "a version that is a range": [
    'type: terraform-deploy\nspec: { source: { path: . }, workspace: w, version: ">= 1.0" }\n',
    'spec.version: found ">= 1.0"',
    "an exact version such as 1.11.4",
  ],
  "a source that is not there": [
    "type: terraform-deploy\nspec: { source: { path: ./nowhere }, workspace: w }\n",
    "spec.source",
    "nowhere does not exist",
  ],
  "two documents": ["type: noop\n---\ntype: noop\n", "holds 2 documents"],
  "nothing in it": ["", "empty"],
  "no YAML in it": ["type: [\n", "not YAML"],
  "only a sentence": ["just text\n", 'found "just text"', "a map of keys"],
  "a count below zero": ["type: noop\nrequires: { gpus: -1 }\n", "requires.gpus: found -1", "at least 0"],
  "both spec and plan": ["type: noop\nspec: {}\nplan: {}\n", "has both spec and plan"],
};

async function refused({ args, env = {}, files = {}, says }: Case): Promise<void> {
  for (const [name, text] of Object.entries(files)) writeFileSync(bed.path(name), text);
  const before = readdirSync(bed.root, { recursive: true }).sort();
  const { code, stdout, stderr } = await bed.run(args, env);
  for (const words of says) expect(stderr).toContain(words);
  expect(stdout).toBe("");
  expect(code).toBe(2);
  expect(readdirSync(bed.root, { recursive: true }).sort()).toEqual(before);
}

describe("on the command line:", () => {
  for (const [what, one] of Object.entries(FLAGS)) test(what, () => refused(one));
});

describe("in the environment:", () => {
  for (const [what, one] of Object.entries(ENVIRONMENT)) test(what, () => refused(one));
});

describe("in the config file:", () => {
  for (const [what, { text, says }] of Object.entries(CONFIG)) {
    test(what, () => refused({ args: ["coordinator", "--config", "c.yaml"], files: { "c.yaml": text }, says }));
  }

  test("a file that is not there", () =>
    refused({ args: ["run", "--config", "none.yaml"], says: ["none.yaml cannot be read"] }));
  test("a folder", () => refused({ args: ["run", "--config", "a-folder"], says: ["a-folder cannot be read"] }));
});

describe("in a job file:", () => {
  for (const [what, [text, ...says]] of Object.entries(JOBS)) {
    test(what, () =>
      refused({ args: ["run-local", "job.yaml"], files: { "job.yaml": text }, says: ["job.yaml", ...says] }),
    );
  }

  test("one that is larger than 1 MiB", () =>
    refused({
      args: ["run-local", "job.yaml"],
      files: { "job.yaml": `# ${"x".repeat(2 ** 20)}\n` },
      says: ["job.yaml", "1 MiB"],
    }));
});
