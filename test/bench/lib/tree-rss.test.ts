import { expect, test } from "bun:test";
import { rssMiB, until } from "./processes.ts";
import { watchTreeRss } from "./tree-rss.ts";

test("the memory of a tool that a process started counts with its own", async () => {
  const parent = Bun.spawn(["sh", "-c", "tail -f /dev/null & echo $!; wait"], { stdout: "pipe" });
  const { value } = await parent.stdout.getReader().read();
  const child = Number(new TextDecoder().decode(value));
  try {
    const alone = await until("the shell and its child run", () => rssMiB(child) > 0.5 && rssMiB(parent.pid));
    const peak = await until("the child is seen", async () => {
      const watcher = watchTreeRss(parent.pid);
      await Bun.sleep(100);
      const seen = watcher.stop();
      return seen > alone * 1.2 && seen;
    });
    expect(peak).toBeCloseTo(rssMiB(parent.pid) + rssMiB(child), 0);
  } finally {
    process.kill(child);
    parent.kill();
  }
});
