import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { actionFile, type PageBed, skipWithoutBrowser, startPageBed } from "../lib/browser.ts";

const LIMIT = 60_000;
const PHONE = { viewport: { width: 360, height: 740 } };

describe.skipIf(skipWithoutBrowser)("how the page looks and is worked (needs chromium)", () => {
  let beds: PageBed;
  let job: string;
  beforeAll(async () => {
    beds = await startPageBed();
    job = await beds.control.submit(
      actionFile(beds, "a-job-with-a-rather-long-name-that-has-no-place-to-break", "exit 0"),
    );
    await beds.control.createRunner("a-runner-with-a-rather-long-name-that-has-no-place-to-break");
  }, LIMIT);
  afterAll(async () => {
    await beds?.end();
  });

  const ground = (page: Page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

  test(
    "no view scrolls sideways on a phone of 360 pixels",
    async () => {
      const page = await beds.signedIn("/ui/jobs", PHONE);
      for (const path of ["/ui/jobs", `/ui/jobs/${job}`, "/ui/runners", "/ui/workspaces", "/ui/nothing"]) {
        await page.goto(beds.control.url + path);
        await page.locator("main :is(h1, h2)").first().waitFor();
        await page.locator("main :is(table, .empty, .log-box)").first().waitFor();
        expect([path, await page.evaluate(() => document.documentElement.scrollWidth)]).toEqual([path, 360]);
      }
    },
    LIMIT,
  );

  test(
    "follows the system's dark or light, and the button overrides it for good",
    async () => {
      const light = await beds.signedIn("/ui/jobs", { colorScheme: "light" });
      const dark = await beds.signedIn("/ui/jobs", { colorScheme: "dark" });
      const [lightGround, darkGround] = [await ground(light), await ground(dark)];
      expect(lightGround).not.toBe(darkGround);
      const button = dark.getByRole("button", { name: /^Theme:/ });
      await button.click();
      expect(await ground(dark)).toBe(lightGround);
      await dark.reload();
      await button.waitFor();
      expect(await ground(dark)).toBe(lightGround);
      await button.click();
      expect(await ground(dark)).toBe(darkGround);
    },
    LIMIT,
  );

  test(
    "a job that waits says for what, and an empty view says what to run",
    async () => {
      const page = await beds.signedIn();
      await page.getByText("No runner is online").waitFor();
      await page.getByRole("link", { name: "Workspaces" }).click();
      await page.getByText("runner job submit -f job.yaml").waitFor();
      await page.goto(`${beds.control.url}/ui/jobs/jobthatdoesnotexist`);
      await page.getByRole("alert").waitFor();
    },
    LIMIT,
  );

  test(
    "is worked with the keyboard alone, and the focus is always to be seen",
    async () => {
      const page = await beds.signedIn("/ui/runners");
      await page.getByRole("heading", { name: "Runners" }).waitFor();
      await page.keyboard.press("Tab");
      expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the content");
      const seen: string[] = [];
      for (let i = 0; i < 20 && seen.at(-1) !== "Create runner"; i++) {
        await page.keyboard.press("Tab");
        const focus = await page.evaluate(() => {
          const element = document.activeElement;
          if (element === null) return { name: "", outline: "none" };
          return { name: element.textContent ?? "", outline: getComputedStyle(element).outlineStyle };
        });
        expect(focus.outline).toBe("solid");
        seen.push(focus.name);
      }
      expect(seen).toContain("Workspaces");
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").waitFor();
      expect(await page.evaluate(() => document.activeElement?.closest("dialog") !== null)).toBe(true);
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Create runner");
    },
    LIMIT,
  );

  test(
    "ids are copied with one click, and say so",
    async () => {
      const page = await beds.signedIn(`/ui/jobs/${job}`, { permissions: ["clipboard-read", "clipboard-write"] });
      await page.getByRole("button", { name: "Copy the id" }).click();
      await page.getByText("Copied the id.").waitFor();
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(job);
    },
    LIMIT,
  );

  test(
    "jobs beyond the first hundred are shown on request",
    async () => {
      const spec = { steps: [{ name: "work", run: "exit 0" }] };
      for (let i = 0; i < 105; i++) {
        const answer = await beds.control.post("/jobs", { job: { type: "actions-workflow", name: `many-${i}`, spec } });
        expect(answer.status).toBe(200);
      }
      const page = await beds.signedIn();
      await page.getByRole("link", { name: "many-104", exact: true }).waitFor();
      expect(await page.locator("tbody tr").count()).toBe(100);
      await page.getByRole("button", { name: "Show older jobs" }).click();
      await page.getByRole("link", { name: "many-0", exact: true }).waitFor();
      expect(await page.locator("tbody tr").count()).toBe(106);
    },
    LIMIT,
  );

  test(
    "a key that was taken away leads back to the sign-in and says why",
    async () => {
      const page = await beds.signedIn();
      await page.evaluate(() => sessionStorage.setItem("runner.key", "a-key-that-is-not-known-any-more"));
      await page.reload();
      await page.getByText("no longer accepts the key").waitFor();
      expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    },
    LIMIT,
  );

  test("the page broke no rule of its policy", () => {
    expect(beds.complaints).toEqual([]);
  });
});
