import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import type { EventDoc } from "../../internal/protocol/operator.ts";
import { addRunner, type RunnerHandle } from "../faults/lib/control.ts";
import { until } from "../faults/lib/processes.ts";
import { actionFile, type PageBed, skipWithoutBrowser, startPageBed } from "../lib/browser.ts";

const LIMIT = 180_000;
/** Of the page: events on one page of history, rows at the live end. */
const [PAGE, LIVE] = [100, 200];

describe.skipIf(skipWithoutBrowser)("events on the page (needs chromium)", () => {
  let beds: PageBed;
  let runner: RunnerHandle;
  let failed: string;
  beforeAll(async () => {
    beds = await startPageBed();
    runner = await addRunner(beds.bed, beds.control, { name: "r1" });
    failed = await beds.control.submit(actionFile(beds, "breaks", "exit 3"));
    await beds.control.ended(failed);
  }, LIMIT);
  afterAll(async () => {
    await beds?.end();
  });

  const all = async (query = "") => {
    const headers = { Authorization: `Bearer ${beds.key}` };
    return (await (
      await fetch(`${beds.control.url}/api/v1/events?limit=1000${query}`, { headers })
    ).json()) as EventDoc[];
  };
  /** Jobs for a GPU that nobody has: each is two events and goes no further. */
  const stir = async (jobs: number) => {
    const spec = { steps: [{ name: "work", run: "exit 0" }] };
    for (let i = 0; i < jobs; i++) {
      const job = { type: "actions-workflow", name: `stir-${i}`, requires: { gpus: 8 }, spec };
      expect((await beds.control.post("/jobs", { job })).status).toBe(200);
    }
  };
  const rows = (page: Page) => page.locator(".events tbody tr:not(.day)");
  const whats = (page: Page) => page.locator(".events .what").allTextContents();

  test(
    "what happens appears by itself, with who did it, why, and links to what it is about",
    async () => {
      const page = await beds.signedIn("/ui/events");
      await rows(page).first().waitFor();
      const before = await rows(page).count();
      const { id } = await beds.control.createRunner("fresh-one");
      const row = rows(page).filter({ hasText: "runner created" }).filter({ hasText: "fresh-one" });
      await row.waitFor();
      expect(await rows(page).count()).toBe(before + 1);
      expect(await row.locator("time").getAttribute("title")).toMatch(/\d{2}:\d{2}:\d{2}/);
      await row.getByText("admin").waitFor();
      await row.locator(".c-about a").click();
      await page.waitForURL((url) => url.href.endsWith(`/ui/runners/${id}`));
      await page.goBack();
      await rows(page).filter({ hasText: failed }).first().getByRole("link", { name: failed }).click();
      await page.waitForURL((url) => url.href.endsWith(`/ui/jobs/${failed}`));
    },
    LIMIT,
  );

  test(
    "events are filtered by subject, kind and actor; the address says so, and says it to a colleague too",
    async () => {
      const page = await beds.signedIn("/ui/events");
      await rows(page).first().waitFor();
      const before = await rows(page).first().textContent();
      await page.getByLabel("About").fill(` ${failed} `);
      await stir(1);
      await until("events arrive while it is typed", async () => (await rows(page).first().textContent()) !== before);
      expect(await page.getByLabel("About").inputValue()).toBe(` ${failed} `);
      await page.keyboard.press("Enter");
      await page.getByRole("link", { name: "Clear filters" }).waitFor();
      const count = (await all(`&subject=${failed}`)).length;
      await until("only its events are shown", async () => (await rows(page).count()) === count);
      await page.getByLabel("Kind").selectOption({ label: "every step" });
      await until("only its steps are shown", async () => (await whats(page)).every((one) => one.startsWith("step ")));
      await page.getByLabel("By").selectOption({ label: "runner r1" });
      const address = `/ui/events?subject=${failed}&what=step%3A&by=runner%3A${runner.id}`;
      await until("the address has all three", async () => page.url().endsWith(address));

      const other = await beds.signedIn(address);
      await rows(other).first().waitFor();
      expect((await whats(other))[0]).toBe("step work failed");
      expect((await whats(other)).every((one) => one.startsWith("step work"))).toBe(true);
      expect(await other.getByLabel("About").inputValue()).toBe(failed);

      await page.getByRole("link", { name: "Clear filters" }).click();
      await rows(page).filter({ hasText: "runner created" }).first().waitFor();
      await rows(page).getByRole("link", { name: "admin" }).first().click();
      await page.waitForURL((url) => url.href.endsWith("/ui/events?by=admin"));
      await page.getByLabel("Kind").selectOption({ label: "approval expired" });
      await page.getByText("No event fits").waitFor();
    },
    LIMIT,
  );

  test(
    "history is read backwards page by page and forwards again, without ever holding all of it",
    async () => {
      await stir(130);
      const page = await beds.signedIn("/ui/events?by=admin");
      await rows(page).first().waitFor();
      const known = (await all("&by=admin")).reverse();
      expect(known.length).toBeGreaterThan(PAGE + 30);
      expect(await rows(page).count()).toBe(PAGE);
      await page.getByRole("link", { name: "Older" }).click();
      await until("the rest is shown", async () => (await rows(page).count()) === known.length - PAGE);
      await page.waitForURL((url) => url.href.endsWith(`/ui/events?by=admin&before=${known[PAGE - 1]?.seq}`));
      await page.getByText("This is the beginning.").waitFor();
      await stir(1);
      await page.reload();
      await until("the same page is shown", async () => (await rows(page).count()) === known.length - PAGE);
      await page.getByRole("link", { name: "Newer" }).click();
      await until("a full page is shown", async () => (await rows(page).count()) === PAGE);
      await page.getByRole("link", { name: "Back to now" }).click();
      await page.locator(".live-state").getByText("live").waitFor();
    },
    LIMIT,
  );

  test(
    "the live end is bounded, and is held on request: what came is counted, nothing moves",
    async () => {
      const page = await beds.signedIn("/ui/events?what=queued");
      await rows(page).first().waitFor();
      await stir(110);
      await until("the newest rows are kept", async () => (await rows(page).count()) === LIVE);
      await page.getByRole("button", { name: "Pause" }).click();
      const first = await page.locator(".events time").first().getAttribute("datetime");
      await stir(3);
      await page.getByText("3 new events").waitFor();
      expect(await page.locator(".events time").first().getAttribute("datetime")).toBe(first);
      await page.getByRole("button", { name: "Resume" }).click();
      await until("they are shown", async () => {
        return (await page.locator(".events time").first().getAttribute("datetime")) !== first;
      });
      expect(await rows(page).count()).toBe(LIVE);
    },
    LIMIT,
  );

  test(
    "after a cut it goes on behind the last event: what happened meanwhile is there once",
    async () => {
      const page = await beds.signedIn("/ui/events?by=admin&what=runner-created");
      await rows(page).filter({ hasText: "fresh-one" }).waitFor();
      const resumed = new Set<string>();
      page.on("request", (request) => {
        const last = request.headers()["last-event-id"];
        if (last !== undefined) resumed.add(last);
      });
      await beds.control.createRunner("before-the-cut");
      await rows(page).filter({ hasText: "before-the-cut" }).waitFor();
      await beds.control.proc.kill9();
      await page.getByText("Connection lost").waitFor();
      await beds.control.restart();
      await beds.control.createRunner("after-the-cut");
      await page.getByText("Connection lost").waitFor({ state: "detached" });
      await rows(page).filter({ hasText: "after-the-cut" }).waitFor();
      for (const name of ["fresh-one", "before-the-cut", "after-the-cut"]) {
        expect([name, await rows(page).filter({ hasText: name }).count()]).toEqual([name, 1]);
      }
      expect(resumed.size).toBeGreaterThan(0);
    },
    LIMIT,
  );

  test("the page broke no rule of its policy", () => {
    expect(beds.complaints).toEqual([]);
  });
});
