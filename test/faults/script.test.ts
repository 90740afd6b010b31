import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { startPackageRegistry } from "../lib/package-registry.ts";
import { addRunner, type Control, cleanAfter, outcomes, type RunnerHandle, startControl } from "./lib/control.ts";
import { type Sample, sampleOf } from "./lib/jobs.ts";
import { type Bed, makeBed, until } from "./lib/processes.ts";
import { startWire, type Wire } from "./lib/tcp-proxy.ts";

const KILLED = 137;

/** The same work in each language: a trace, a wait for the gate, a trace, an output. */
const CODE: Readonly<Record<string, { readonly program: string | null; readonly code: string }>> = {
  shell: {
    program: null,
    code: `echo begin >> "$TRACE"
echo "line one"
while [ ! -e "$GATE" ]; do sleep 0.05; done
echo worked >> "$TRACE"
echo "line two"
echo "answer=42" >> "$RUNNER_OUTPUT"
`,
  },
  node: {
    program: "node",
    code: `const fs = require("node:fs");
fs.appendFileSync(process.env.TRACE, "begin\\n");
console.log("line one");
const timer = setInterval(() => {
  if (!fs.existsSync(process.env.GATE)) return;
  clearInterval(timer);
  fs.appendFileSync(process.env.TRACE, "worked\\n");
  console.log("line two");
  fs.appendFileSync(process.env.RUNNER_OUTPUT, "answer=42\\n");
}, 50);
`,
  },
  python: {
    program: "python3",
    code: `import os, time
open(os.environ["TRACE"], "a").write("begin\\n")
print("line one")
while not os.path.exists(os.environ["GATE"]): time.sleep(0.05)
open(os.environ["TRACE"], "a").write("worked\\n")
print("line two")
open(os.environ["RUNNER_OUTPUT"], "a").write("answer=42\\n")
`,
  },
  bun: {
    program: null,
    code: `import { appendFileSync, existsSync } from "node:fs";
const env = process.env as Record<string, string>;
appendFileSync(env.TRACE ?? "", "begin\\n");
console.log("line one");
while (!existsSync(env.GATE ?? "")) await Bun.sleep(50);
appendFileSync(env.TRACE ?? "", "worked\\n");
console.log("line two");
appendFileSync(env.RUNNER_OUTPUT ?? "", "answer=42\\n");
`,
  },
  powershell: {
    program: "pwsh",
    code: `Add-Content $env:TRACE "begin"
Write-Output "line one"
while (-not (Test-Path $env:GATE)) { Start-Sleep -Milliseconds 50 }
Add-Content $env:TRACE "worked"
Write-Output "line two"
Add-Content $env:RUNNER_OUTPUT "answer=42"
`,
  },
};

let bed: Bed;
let control: Control;
beforeEach(async () => {
  bed = makeBed();
  control = await startControl(bed);
});
afterEach(() => bed.end());

type Start = (env?: Record<string, string>) => Promise<RunnerHandle>;
interface Killed {
  readonly runner: RunnerHandle;
  readonly id: string;
  readonly job: Sample;
}

interface Wish {
  readonly language: string;
  readonly code: string;
  readonly name?: string;
  readonly packages?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly timeout?: string;
}

function scriptJob({ language, code, name = "job", packages = [], env = {}, timeout }: Wish): Sample {
  const [trace, gate, file] = [bed.path(`${name}.trace`), bed.path(`${name}.gate`), bed.path(`${name}.yaml`)];
  const spec = { language, code, packages, env: { TRACE: trace, GATE: gate, ...env } };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ type: "script", name, ...(timeout ? { timeout } : {}), spec }));
  return sampleOf(file, trace, gate);
}

async function finishedOnce(id: string, job: Sample): Promise<void> {
  const doc = await control.ended(id);
  expect([doc.status, doc.reason]).toEqual(["finished", ""]);
  expect(doc.outputs).toMatchObject({ answer: "42" });
  expect(outcomes(doc)).toEqual(["finished"]);
  expect(job.traces()).toEqual(["begin", "worked"]);
  const log = await control.log(id);
  for (const line of ["line one", "line two"]) expect(log.split(line)).toHaveLength(2);
}

for (const [language, { program, code }] of Object.entries(CODE)) {
  // PowerShell where it is; what is said where it is not, handlers-script.test.ts shows. The others must be there.
  if (program === "pwsh" && Bun.which(program) === null) continue;
  describe(`a script in ${language}`, () => {
    test("goes on while its runner is killed with SIGKILL, and is taken up again: it ends once, its log is whole", async () => {
      const runner = await addRunner(bed, control);
      const job = scriptJob({ language, code });
      const id = await control.submit(job.file);
      await until("it works", () => job.traces().includes("begin"));
      await runner.proc.kill9();
      runner.proc = runner.start();
      await until("the runner is back", async () => (await control.runners())[0]?.contact === "online");
      job.release();
      await finishedOnce(id, job);
      await cleanAfter(bed, control, runner);
    }, 60_000);

    test("ends while its runner is away: its output and its end are not lost", async () => {
      const runner = await addRunner(bed, control);
      const job = scriptJob({ language, code });
      const id = await control.submit(job.file);
      await until("it works", () => job.traces().includes("begin"));
      await runner.proc.kill9();
      job.release();
      await until("it is over", () => job.traces().includes("worked"));
      runner.proc = runner.start();
      await finishedOnce(id, job);
      await cleanAfter(bed, control, runner);
    }, 60_000);

    test("is stopped with all it started when it is cancelled after a restart of its runner", async () => {
      const runner = await addRunner(bed, control);
      const job = scriptJob({ language, code });
      const id = await control.submit(job.file);
      await until("it works", () => job.traces().includes("begin"));
      await runner.restart();
      await until("the runner is back", async () => (await control.runners())[0]?.contact === "online");
      expect((await control.post(`/jobs/${id}/cancel`)).status).toBe(200);
      const doc = await control.ended(id);
      expect([doc.status, outcomes(doc), job.traces()]).toEqual(["cancelled", ["cancelled"], ["begin"]]);
      await cleanAfter(bed, control, runner);
    }, 60_000);
  });
}

describe("packages of a script", () => {
  let registry: ReturnType<typeof startPackageRegistry>;
  let wire: Wire;
  beforeEach(async () => {
    registry = startPackageRegistry();
    wire = await startWire({ port: Number(new URL(registry.url).port) });
  });
  afterEach(() => {
    wire.stop();
    registry.stop();
  });

  const greeting = (language: string, name: string) =>
    scriptJob({
      language,
      name,
      code: `const { appendFileSync } = require("node:fs");
appendFileSync(process.env.TRACE, require("greet")("you") + "\\n");
appendFileSync(process.env.RUNNER_OUTPUT, "answer=42\\n");
`,
      packages: ["greet@1.0.0"],
      env: { [language === "node" ? "npm_config_registry" : "BUN_CONFIG_REGISTRY"]: `http://127.0.0.1:${wire.port}/` },
    });

  async function greeted(id: string, job: Sample): Promise<void> {
    const doc = await control.ended(id);
    expect([doc.status, doc.reason]).toEqual(["finished", ""]);
    expect(outcomes(doc)).toEqual(["finished"]);
    expect(job.traces()).toEqual(["greetings, you"]);
  }

  /** Folders of packages that are not behind a name: what an install that was cut off would leave. */
  function folders(): string[] {
    const root = bed.path(".cache", "runner", "tools", "packages");
    return existsSync(root) ? readdirSync(root).sort() : [];
  }

  for (const language of ["node", "bun"]) {
    const restarts: Readonly<Record<string, (start: Start) => Promise<Killed>>> = {
      "while the archive comes": async (start) => {
        wire.holdAfter = 1;
        const runner = await start();
        const job = greeting(language, "job");
        const id = await control.submit(job.file);
        await until("the install stands still", () => wire.held());
        await runner.proc.kill9();
        wire.release();
        return { runner, id, job };
      },
      "before the installed folder is shown": async (start) => {
        const runner = await start({ RUNNER_FAILPOINT: "script.packages" });
        const job = greeting(language, "job");
        const id = await control.submit(job.file);
        expect(await runner.proc.exited).toBe(KILLED);
        return { runner, id, job };
      },
    };
    for (const [when, kill] of Object.entries(restarts)) {
      test(`installed for ${language}, the runner killed ${when}: the job ends once, the next one finds them whole`, async () => {
        const { runner, id, job } = await kill((env = {}) => addRunner(bed, control, { env }));
        runner.proc = runner.start();
        await greeted(id, job);
        const asked = registry.asked.length;
        const next = greeting(language, "next");
        await greeted(await control.submit(next.file), next);
        // Of the second job nobody was asked anything.
        expect(registry.asked).toHaveLength(asked);
        // One name, and the one folder behind it.
        expect(folders()).toHaveLength(2);
        await cleanAfter(bed, control, runner);
      }, 60_000);
    }

    // npm tries for a long time before it says so.
    if (language === "node") continue;
    test(`for ${language} that come cut: the job fails with the reason, and the next one works`, async () => {
      wire.cutAfter = 1;
      wire.cuts = 1_000;
      const runner = await addRunner(bed, control);
      const cut = greeting(language, "cut");
      const doc = await control.ended(await control.submit(cut.file));
      expect([doc.status, outcomes(doc), cut.traces()]).toEqual(["failed", ["failed"], []]);
      expect(doc.reason).toContain("packages");
      wire.cutAfter = null;
      wire.cuts = 0;
      expect(folders()).toEqual([]);
      const next = greeting(language, "next");
      await greeted(await control.submit(next.file), next);
      await cleanAfter(bed, control, runner);
    }, 60_000);
  }
});
