import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { addRunner } from "../faults/lib/control.ts";
import { until } from "../faults/lib/processes.ts";
import { actionFile, type PageBed, skipWithoutBrowser, startPageBed } from "../lib/browser.ts";

const LIMIT = 180_000;
const LINES = 20_000;

describe.skipIf(skipWithoutBrowser)("the live log of the page (needs chromium)", () => {
  let beds: PageBed;
  beforeAll(async () => {
    beds = await startPageBed();
    await addRunner(beds.bed, beds.control, { name: "r1" });
  }, LIMIT);
  afterAll(async () => {
    await beds?.end();
  });

  test(
    "twenty thousand lines are followed, searched and read from the top with few of them in the document",
    async () => {
      const gate = beds.bed.path("long.gate");
      const script = `seq -f 'line number %.0f' ${LINES}\nwhile [ ! -e "${gate}" ]; do sleep 0.05; done\necho the very last`;
      const job = await beds.control.submit(actionFile(beds, "long", script));
      const page = await beds.signedIn(`/ui/jobs/${job}`);
      const row = (text: string) => page.locator(".row-text").getByText(text, { exact: true });
      const rendered = () => page.locator(".row").count();
      await row(`line number ${LINES}`).waitFor();
      expect(await rendered()).toBeLessThan(300);

      await page.locator(".log-box").evaluate((box) => {
        box.scrollTop = 0;
      });
      await row("line number 1").waitFor();
      await page.getByText(/lines, paused/).waitFor();
      writeFileSync(gate, "");
      await until(
        "the job has ended",
        async () => (await page.locator(".job-title .badge").textContent()) === "finished",
      );
      expect(await row("line number 1").isVisible()).toBe(true);
      await page.getByRole("button", { name: "Jump to the end" }).click();
      await row("the very last").waitFor();

      await page.getByLabel("Find in the log").fill("number 12345");
      await page.getByText("1", { exact: true }).last().waitFor();
      await page.keyboard.press("Enter");
      await page.locator(".row-hit", { hasText: "line number 12345" }).waitFor();
      expect(await rendered()).toBeLessThan(300);
    },
    LIMIT,
  );

  test(
    "following is paused and taken up again, and each line tells its time on request",
    async () => {
      const gate = beds.bed.path("ticks.gate");
      const script = `n=0\nwhile [ ! -e "${gate}" ]; do n=$((n+1)); echo tick $n; sleep 0.02; done`;
      const job = await beds.control.submit(actionFile(beds, "ticks", script));
      const page = await beds.signedIn(`/ui/jobs/${job}`);
      const top = () => page.locator(".log-box").evaluate((box) => box.scrollTop);
      await until("the log is taller than its window", async () => (await top()) > 0);
      await page.getByRole("button", { name: "Pause" }).click();
      const [held, lines] = [await top(), await page.locator(".log-state").textContent()];
      await until("more lines came", async () => (await page.locator(".log-state").textContent()) !== lines);
      expect(await top()).toBe(held);
      await page.getByRole("button", { name: "Follow" }).click();
      await until("the newest lines are shown", async () => (await top()) > held);
      await page.getByLabel("Times").check();
      expect(await page.locator(".row-time").last().textContent()).toMatch(/^\d{2}:\d{2}:\d{2}$/);
      writeFileSync(gate, "");
    },
    LIMIT,
  );

  test(
    "a coordinator that is gone is said, and when it is back the log goes on with nothing lost or doubled",
    async () => {
      const gate = beds.bed.path("gone.gate");
      const script = `echo before\nwhile [ ! -e "${gate}" ]; do sleep 0.05; done\necho after`;
      const job = await beds.control.submit(actionFile(beds, "gone", script));
      const page = await beds.signedIn(`/ui/jobs/${job}`);
      const rows = (text: string) => page.locator(".row-text").getByText(text, { exact: true });
      await rows("before").waitFor();
      await beds.control.proc.kill9();
      await page.getByText("Connection lost, retrying.").waitFor();
      await beds.control.restart();
      await page.getByText("Connection lost, retrying.").waitFor({ state: "detached" });
      writeFileSync(gate, "");
      await rows("after").waitFor();
      await until(
        "the job has ended",
        async () => (await page.locator(".job-title .badge").textContent()) === "finished",
      );
      expect([await rows("before").count(), await rows("after").count()]).toEqual([1, 1]);
    },
    LIMIT,
  );

  test("the page broke no rule of its policy", () => {
    expect(beds.complaints).toEqual([]);
  });
});
