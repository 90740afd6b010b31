import { findGpus } from "../../../internal/kit/base/gpus.ts";
import { type Finding, findings, sizeText } from "./finding.ts";

/** The GPUs that the runner would announce. */
export async function checkGpus(path: string): Promise<Finding> {
  const say = findings("GPUs");
  const found = await findGpus(path);
  if (!found.ok) return say.warning(found.error.message, found.error.remedy ?? "Run `nvidia-smi`.");
  if (found.value.length === 0) return say.ok("none");
  return say.ok(
    found.value.map(({ model, uuid, memory_bytes }) => `${model}, ${sizeText(memory_bytes)}, ${uuid}`).join("; "),
  );
}
