import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { Inventory } from "../../protocol/native.ts";
import { runGroup } from "../exec/index.ts";

export type Gpu = Inventory["gpus"][number];

/** A driver that hangs must not keep the runner from starting, milliseconds. */
const ASK_MS = 20_000;
const QUERY = ["--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits"];

/**
 * The NVIDIA GPUs of this machine by UUID, as `nvidia-smi` on this PATH lists them; none where there is no such program.
 * An error (environment): there is one, and it cannot tell.
 */
export async function findGpus(path: string, askMs = ASK_MS): Promise<Result<Gpu[]>> {
  const program = Bun.which("nvidia-smi", { PATH: path });
  if (program === null) return ok([]);
  const signal = AbortSignal.timeout(askMs);
  try {
    const end = await runGroup(signal)([program, ...QUERY], { PATH: path, LANG: "C" }, "/");
    if (signal.aborted) return cannotTell(`no answer in ${askMs / 1_000} s`);
    const said = `${end.stdout}\n${end.stderr}`.trim();
    if (end.code !== 0) return cannotTell(said.split("\n")[0] || `exit code ${end.code}`);
    return readGpus(end.stdout);
  } catch (error) {
    return cannotTell(reasonOf(error));
  }
}

function readGpus(text: string): Result<Gpu[]> {
  const gpus: Gpu[] = [];
  for (const line of text.split("\n").map((one) => one.trim())) {
    if (line === "" || /^no devices were found/i.test(line)) continue;
    const [, uuid, model = "", mib = ""] = /^(GPU-[\w-]+),\s*(.*),\s*([^,]*)$/.exec(line) ?? [];
    if (uuid === undefined) return cannotTell(`it says ${JSON.stringify(line.slice(0, 200))}`);
    if (gpus.some((gpu) => gpu.uuid === uuid)) continue;
    // A GPU whose memory is the machine's own says [N/A].
    const memory = /^\d+$/.test(mib) ? Number(mib) * 2 ** 20 : 0;
    gpus.push({ uuid, vendor: "nvidia", model, memory_bytes: memory });
  }
  return ok(gpus);
}

const cannotTell = (why: string) =>
  fail(
    new RunnerError("environment", `the GPUs of this machine cannot be listed: ${why}`, {
      remedy:
        "Run `nvidia-smi` as the runner's user; mend the driver and restart the runner. Until then it has no GPUs.",
    }),
  );
