/** Requests under way at once: a big release or manifest is quick, and the cluster has room for others. */
const PARALLEL = 8;

/** `work` for every item, a few at a time; the results in the order of the items. The first error ends it. */
export async function together<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  let next = 0;
  let stopped = false;
  const worker = async () => {
    while (next < items.length && !stopped) {
      const at = next++;
      const item = items[at];
      if (item === undefined) continue;
      try {
        results[at] = await work(item);
      } catch (error) {
        stopped = true;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(PARALLEL, items.length) }, worker));
  for (const one of ended) if (one.status === "rejected") throw one.reason;
  return results;
}
