import type { JobLog } from "../../handler.ts";
import { notReady, type Readiness } from "./not-ready.ts";
import type { RenderedObject } from "./rendering.ts";

/** How often the cluster is asked, milliseconds. */
const EVERY_MS = 3_000;

/**
 * Says in the log what helm is waiting for while `work` runs, whenever that changes. When the work fails, `said` is what
 * was not ready at that moment, for the reason of the job.
 */
export async function withProgress<T>(
  deps: Readiness & { readonly log: JobLog },
  objects: readonly RenderedObject[],
  work: () => Promise<T>,
  failed: (error: unknown, waitingFor: readonly string[]) => unknown,
): Promise<T> {
  const over = new AbortController();
  const signal = AbortSignal.any([deps.signal, over.signal]);
  const watching = watch({ ...deps, signal }, objects, over.signal);
  try {
    return await work();
  } catch (error) {
    const waitingFor = deps.signal.aborted ? [] : await notReady(deps, objects).catch(() => []);
    throw failed(error, waitingFor);
  } finally {
    over.abort();
    await watching;
  }
}

async function watch(
  deps: Readiness & { readonly log: JobLog },
  objects: readonly RenderedObject[],
  over: AbortSignal,
): Promise<void> {
  let shown = "";
  while (!deps.signal.aborted) {
    await pause(EVERY_MS, over);
    if (deps.signal.aborted) return;
    // Only progress: helm itself says what is wrong with the cluster.
    const lines = await notReady(deps, objects).catch(() => null);
    if (lines === null || deps.signal.aborted) continue;
    const text = lines.join("\n");
    if (text !== shown) for (const line of lines) deps.log.info(`waiting for ${line}`);
    shown = text;
  }
}

const pause = (ms: number, over: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    over.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
