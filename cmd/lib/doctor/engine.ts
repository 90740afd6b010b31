import { type Engine, findEngine } from "../../../internal/kit/containers/index.ts";
import { RunnerError, reasonOf } from "../../../internal/protocol/errors.ts";
import { type Finding, findings } from "./finding.ts";

export interface EngineWish {
  /** null: whichever is there. */
  readonly wanted: "podman" | "docker" | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
}

/** A healthy engine answers in a second, a cold podman in some. */
const ANSWER_MS = 20_000;

/** The engine that container jobs would use, and whether it answers. A runner without one does all other work. */
export async function checkEngine(wish: EngineWish): Promise<Finding> {
  const say = findings("containers");
  let engine: Engine;
  try {
    engine = findEngine(wish);
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    if (wish.wanted === null) return say.ok("neither podman nor docker is on PATH; only container jobs would need one");
    return say.failed(error.message, error.remedy ?? "Install it.");
  }
  const { name, program, rootless } = engine;
  const answer = await versionOf(engine);
  if (answer.ok) return say.ok(`${name} ${answer.text}, ${program}${rootless ? ", rootless" : ""}`);
  const ask = name === "docker" ? "docker version" : "podman info";
  return say.warning(
    `${name}, ${program}, does not answer: ${answer.text}; container jobs would fail`,
    `Make \`${ask}\` work as the runner's user, or choose the other engine with --container-engine.`,
  );
}

/** The version of what does the work: docker's own program answers without its daemon. */
async function versionOf({ name, program, env }: Engine): Promise<{ readonly ok: boolean; readonly text: string }> {
  const field = name === "docker" ? "{{.Server.Version}}" : "{{.Version.Version}}";
  const argv = name === "docker" ? ["version", "--format", field] : ["info", "--format", field];
  try {
    const child = Bun.spawn([program, ...argv], {
      env: { ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: ANSWER_MS,
    });
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    const code = await child.exited;
    if (code === 0) return { ok: true, text: out.trim() || "of an unknown version" };
    const last = err.trim().split("\n").at(-1)?.slice(0, 200);
    return { ok: false, text: child.signalCode ? `no answer in ${ANSWER_MS / 1_000} s` : last || `exit code ${code}` };
  } catch (error) {
    return { ok: false, text: reasonOf(error) };
  }
}
