import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { type Claim, LOG_ATTRIBUTES } from "../../internal/protocol/native.ts";
import { until } from "../faults/lib/processes.ts";
import { type PageBed, skipWithoutBrowser, startPageBed } from "../lib/browser.ts";
import { startCutProxy } from "../lib/cut-proxy.ts";
import { createOperator, type Operator } from "../lib/operator.ts";
import { createRunnerPeer, type RunnerPeer } from "../lib/runner-peer.ts";

const LIMIT = 180_000;
const LINES = 100_000;
const PER_RECORD = 1_000;

const STEP = LOG_ATTRIBUTES.workflowStep;
const numbered = (from: number, count: number, text: (n: number) => string) =>
  Array.from({ length: count }, (_, index) => text(from + index)).join("\n");
const plain = (n: number) => `line ${n}${n % 1_000 === 0 ? " needle" : ""}`;

describe.skipIf(skipWithoutBrowser)("a log of 100,000 lines on the page (needs chromium)", () => {
  let beds: PageBed;
  let operator: Operator;
  let peer: RunnerPeer;
  let job: string;
  let claim: Claim;
  let end = 0;

  beforeAll(async () => {
    beds = await startPageBed();
    operator = createOperator({ url: beds.control.url, adminKey: beds.key });
    peer = await createRunnerPeer(beds.control.url, operator);
    job = await begin("long");
    claim = await peer.claim(job);
    await more(LINES);
  }, LIMIT);
  afterAll(async () => {
    await beds?.end();
  });

  const begin = (name: string) =>
    operator.submit({ type: "actions-workflow", name, spec: { steps: [{ name: "a", run: "x" }] } });
  const more = async (count: number) => {
    for (let left = count; left > 0; left -= PER_RECORD) {
      const size = Math.min(left, PER_RECORD);
      await peer.log(claim, [{ text: numbered(end + 1, size, plain) }]);
      end += size;
    }
  };
  const complete = (page: Page, lines: number) =>
    until(`the page has ${lines} lines`, async () =>
      (await page.locator(".log-state").textContent())?.startsWith(lines.toLocaleString("en")),
    );
  /** Numbers and texts of the rows in the document. */
  const rendered = (page: Page) =>
    page
      .locator(".row-tool")
      .evaluateAll((rows) =>
        rows.map(
          (row) =>
            [
              Number(row.querySelector(".row-number")?.textContent),
              row.querySelector(".row-text")?.textContent ?? "",
            ] as const,
        ),
      );
  const nodes = (page: Page) => page.evaluate(() => document.querySelectorAll("*").length);
  const topOf = (page: Page) => page.locator(".log-box").evaluate((box) => box.scrollTop);
  const scroll = (page: Page, share: number) =>
    page.locator(".log-box").evaluate((box, part) => {
      box.scrollTop = Math.round(box.scrollHeight * part);
    }, share);
  const hits = (page: Page) => page.locator(".find-count");

  test(
    "wherever it is scrolled to, the right lines are shown and the document stays small",
    async () => {
      const page = await beds.signedIn(`/ui/jobs/${job}`);
      await complete(page, LINES);
      for (const share of [0, 0.25, 0.5, 0.9, 1]) {
        await scroll(page, share);
        await until(`rows around ${share}`, async () => {
          const rows = await rendered(page);
          const near = Math.round(LINES * share);
          return rows.length > 20 && rows.some(([number]) => Math.abs(number - near) < 100);
        });
        for (const [number, text] of await rendered(page)) expect(text).toBe(plain(number));
        expect(await nodes(page)).toBeLessThan(1_500);
      }
    },
    LIMIT,
  );

  test(
    "all hits of a search are counted, and stepped through in both directions by key and button",
    async () => {
      const page = await beds.signedIn(`/ui/jobs/${job}`);
      await complete(page, LINES);
      await scroll(page, 0);
      await page.locator(".log-box").focus();
      await page.keyboard.press("/");
      await page.keyboard.type("NEEDLE");
      await until("all hits are counted", async () => (await hits(page).textContent()) === "100");
      await page.keyboard.press("Enter");
      await page.locator(".row-hit", { hasText: "line 1000 needle" }).waitFor();
      expect(await hits(page).textContent()).toBe("1 of 100");
      await page.getByRole("button", { name: "Next hit" }).click();
      await page.locator(".row-hit", { hasText: "line 2000 needle" }).waitFor();
      await page.locator(".log-box").focus();
      await page.keyboard.press("N");
      await page.keyboard.press("N");
      await page.locator(".row-hit", { hasText: `line ${LINES} needle` }).waitFor();
      expect(await hits(page).textContent()).toBe("100 of 100");
      expect(await page.locator(".row-hit mark").textContent()).toBe("needle");
      await page.keyboard.press("Escape");
      await page.locator("mark").first().waitFor({ state: "detached" });
      await page.getByLabel("Find in the log").fill("not to be found anywhere");
      await page.getByText("none", { exact: true }).waitFor();
    },
    LIMIT,
  );

  test(
    "a link to a line shows that line to whoever opens it, and its text and link can be copied",
    async () => {
      const page = await beds.signedIn(`/ui/jobs/${job}`, { permissions: ["clipboard-read", "clipboard-write"] });
      await complete(page, LINES);
      await scroll(page, 0.5);
      await page.getByLabel("Line 50010", { exact: true }).click();
      await page.getByLabel("Line 50012", { exact: true }).click({ modifiers: ["Shift"] });
      await page.waitForURL((url) => url.href.endsWith(`/ui/jobs/${job}#L50010-L50012`));
      await page.getByRole("button", { name: "Copy text the lines" }).click();
      await page.getByText("Copied the lines.").waitFor();
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("line 50010\nline 50011\nline 50012");
      await page.getByRole("button", { name: "Copy link the link" }).click();
      await page.getByText("Copied the link.").waitFor();
      const link = await page.evaluate(() => navigator.clipboard.readText());

      const other = await beds.signedIn(link);
      await other.locator(".row-linked", { hasText: "line 50011" }).waitFor();
      expect(await other.locator(".row-linked .row-text").allTextContents()).toEqual([
        "line 50010",
        "line 50011",
        "line 50012",
      ]);
      expect(await other.locator(".row-linked").first().isVisible()).toBe(true);
      await other.getByRole("button", { name: "Forget these lines" }).click();
      expect(other.url()).toEndWith(`/ui/jobs/${job}`);
    },
    LIMIT,
  );

  test(
    "what is read stays where it is while lines arrive; following goes on from the end",
    async () => {
      const page = await beds.signedIn(`/ui/jobs/${job}`);
      await complete(page, end);
      await scroll(page, 0.3);
      await page.getByText(/lines, paused/).waitFor();
      const [top, rows] = [await topOf(page), await rendered(page)];
      await more(2_000);
      await complete(page, end);
      expect(await topOf(page)).toBe(top);
      expect(await rendered(page)).toEqual(rows);
      await page.getByRole("button", { name: "Jump to the end" }).click();
      await page.locator(".row-text").getByText(plain(end), { exact: true }).waitFor();
      await more(1_500);
      await page.locator(".row-text").getByText(plain(end), { exact: true }).waitFor();
      expect(await nodes(page)).toBeLessThan(1_500);
    },
    LIMIT,
  );

  test(
    "long lines are wrapped on request without losing the place, and times are shown",
    async () => {
      const page = await beds.signedIn(`/ui/jobs/${job}`, { viewport: { width: 420, height: 800 } });
      await complete(page, end);
      const wide = "wide ".repeat(40).trimEnd();
      await peer.log(claim, [{ text: numbered(end + 1, 50, (n) => `${n} ${wide}`) }]);
      end += 50;
      await complete(page, end);
      const first = end - 30;
      await page.getByLabel("Find in the log").fill(`${first} wide`);
      await page.keyboard.press("Enter");
      await page.locator(".row-hit").waitFor();
      const sideways = () => page.locator(".log-box").evaluate((box) => box.scrollWidth - box.clientWidth);
      expect(await sideways()).toBeGreaterThan(100);
      await page.getByLabel("Wrap").check();
      await until("nothing is cut off at the side", async () => (await sideways()) <= 1);
      await until("the hit is wrapped and still in sight", async () => {
        const box = await page.locator(".log-box").boundingBox();
        const hit = await page.locator(".row-hit").boundingBox();
        if (!box || !hit) return false;
        return hit.height > 38 && hit.y >= box.y && hit.y + hit.height <= box.y + box.height;
      });
      await page.getByLabel("Times").check();
      expect(await page.locator(".row-time").last().textContent()).toMatch(/^\d{2}:\d{2}:\d{2}$/);
    },
    LIMIT,
  );

  test(
    "the download is the log, byte for byte",
    async () => {
      const page = await beds.signedIn(`/ui/jobs/${job}`);
      await complete(page, end);
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Download the log" }).click(),
      ]);
      expect(download.suggestedFilename()).toBe(`${job}.log`);
      expect(readFileSync(await download.path(), "utf8")).toBe(await beds.control.log(job));
    },
    LIMIT,
  );

  test(
    "lines that the browser no longer keeps are found, linked and read again",
    async () => {
      await more(60_000);
      const page = await beds.signedIn(`/ui/jobs/${job}#L4000`);
      await page.locator(".row-linked", { hasText: "line 4000 needle" }).waitFor();
      await page.getByText(/^Lines [\d,]+ to [\d,]+ of/).waitFor();
      await page.getByRole("button", { name: "Back to the newest" }).click();
      await page.locator(".row-text").getByText(plain(end), { exact: true }).waitFor();
      await page.getByLabel("Find in the log").fill("needle");
      // Of every thousand lines one; the 50 wide ones are no thousand.
      const all = String(Math.floor(end / 1_000));
      await until(
        "hits in front of what the browser keeps are counted",
        async () => (await hits(page).textContent()) === all,
      );
      await scroll(page, 0);
      await page.getByRole("button", { name: "Show older lines" }).waitFor();
      expect(await nodes(page)).toBeLessThan(1_500);
    },
    LIMIT,
  );

  test(
    "a step is folded to its heading, and the log is narrowed to one step by an address",
    async () => {
      const steps = await begin("steps");
      const mine = await peer.claim(steps);
      await peer.log(mine, [
        { text: "before" },
        { text: "fetch 1\nfetch 2", attributes: { [STEP]: "fetch" } },
        { text: "build 1\n\x1b[31mbuild 2\x1b[0m", attributes: { [STEP]: "build" } },
      ]);
      const page = await beds.signedIn(`/ui/jobs/${steps}`);
      const texts = () => page.locator(".row-tool .row-text").allTextContents();
      await until("all is there", async () => (await texts()).length === 5);
      expect(await page.locator(".fg-1").textContent()).toBe("build 2");
      const heading = page.getByRole("button", { name: "step fetch" });
      await heading.click();
      expect(await texts()).toEqual(["before", "build 1", "build 2"]);
      expect(await heading.getAttribute("aria-expanded")).toBe("false");
      await heading.click();
      await page.getByLabel("Step", { exact: true }).selectOption("build");
      await until("only that step is shown", async () => (await texts()).join() === "build 1,build 2");
      await page.waitForURL((url) => url.href.endsWith("?step=build"));
      await page.reload();
      await until("the address keeps it", async () => (await texts()).join() === "build 1,build 2");
      expect(await page.locator(".row-tool .row-number").allTextContents()).toEqual(["4", "5"]);
      await page.goto(`${beds.control.url}/ui/jobs/${steps}#L99`);
      await peer.finish(steps, {});
      await page.getByText("There is no line 99: the log ends with line 5.").waitFor();
    },
    LIMIT,
  );

  test(
    "after each cut of the wire the log goes on with no line lost or doubled",
    async () => {
      const proxy = await startCutProxy(beds.control.url);
      try {
        const cut = await begin("cut");
        const mine = await peer.claim(cut);
        beds.origins.push(proxy.url);
        const page = await beds.signedIn(`${proxy.url}/ui/jobs/${cut}`);
        const batch = 200;
        for (let round = 0; round < 5; round++) {
          await peer.log(mine, [{ text: numbered(round * batch + 1, batch, (n) => `tick ${n}.`) }]);
          await complete(page, (round + 1) * batch);
          expect(proxy.cut()).toBeGreaterThan(0);
          // Written while nobody listens.
          if (round === 4) break;
        }
        await peer.log(mine, [{ text: numbered(5 * batch + 1, batch, (n) => `tick ${n}.`) }]);
        await complete(page, 6 * batch);
        await page.getByLabel("Find in the log").fill("tick ");
        await until("each line is there once", async () => (await hits(page).textContent()) === "1,200");
        await scroll(page, 0);
        await page.locator(".row-text").getByText("tick 1.", { exact: true }).waitFor();
        for (const [number, text] of await rendered(page)) expect(text).toBe(`tick ${number}.`);
        await peer.finish(cut, {});
        await until(
          "its end arrives too",
          async () => (await page.locator(".job-title .badge").textContent()) === "finished",
        );
      } finally {
        proxy.stop();
      }
    },
    LIMIT,
  );

  test("the page broke no rule of its policy", () => {
    expect(beds.complaints).toEqual([]);
  });
});
