import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { actionFile, type PageBed, skipWithoutBrowser, startPageBed } from "../lib/browser.ts";

const LIMIT = 180_000;
const PHONE = { viewport: { width: 360, height: 740 } };

describe.skipIf(skipWithoutBrowser)("how the page looks and is worked (needs chromium)", () => {
  let beds: PageBed;
  let job: string;
  let runner: string;
  beforeAll(async () => {
    beds = await startPageBed();
    job = await beds.control.submit(
      actionFile(beds, "a-job-with-a-rather-long-name-that-has-no-place-to-break", "exit 0"),
    );
    ({ id: runner } = await beds.control.createRunner("a-runner-with-a-rather-long-name-that-has-no-place-to-break"));
  }, LIMIT);
  afterAll(async () => {
    await beds?.end();
  });

  const ground = (page: Page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

  test(
    "no view scrolls sideways on a phone of 360 pixels",
    async () => {
      const page = await beds.signedIn("/ui/jobs", PHONE);
      for (const path of [
        "/ui/jobs",
        `/ui/jobs/${job}`,
        "/ui/runners",
        `/ui/runners/${runner}`,
        "/ui/workspaces",
        "/ui/events",
        "/ui/nothing",
      ]) {
        await page.goto(beds.control.url + path);
        await page.locator("main :is(h1, h2)").first().waitFor();
        await page.locator("main :is(table, .empty, .log-box, .ways)").first().waitFor();
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
      await page.getByText("is online. Start one with").waitFor();
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
    "a key that was taken away leads to the sign-in, says why, and a current one leads back to the same place",
    async () => {
      const page = await beds.signedIn("/ui/runners?contact=never&q=rather");
      await page.evaluate(() => sessionStorage.setItem("runner.key", "a-key-that-is-not-known-any-more"));
      await page.reload();
      await page.getByText("no longer accepts the key").waitFor();
      expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
      await page.getByLabel("Operator key").fill(beds.key);
      await page.keyboard.press("Enter");
      await page.getByRole("link", { name: "a-runner-with-a-rather-long-name" }).waitFor();
      await page.waitForURL((url) => url.href.endsWith("/ui/runners?contact=never&q=rather"));
      expect(await page.getByLabel("Search runners").inputValue()).toBe("rather");
    },
    LIMIT,
  );

  test(
    "g and a letter goes to each view, ? lists the keys, and keys that are typed into a field are text",
    async () => {
      const page = await beds.signedIn("/ui/jobs");
      for (const [key, title] of [
        ["r", "Runners"],
        ["w", "Workspaces"],
        ["e", "Events"],
        ["j", "Jobs"],
      ] as const) {
        await page.keyboard.press("g");
        await page.keyboard.press(key);
        await page.getByRole("heading", { name: title, level: 1 }).waitFor();
        expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");
      }
      await page.keyboard.press("g");
      await page.keyboard.press("r");
      await page.getByRole("link", { name: "a-runner-with" }).waitFor();
      await page.keyboard.press("?");
      const help = page.getByRole("dialog", { name: "Keyboard" });
      await help.getByText("Create a runner").waitFor();
      await help.getByText("Go to the workspaces").waitFor();
      await page.keyboard.press("g");
      await page.keyboard.press("j");
      await page.keyboard.press("Escape");
      await help.waitFor({ state: "detached" });
      await page.waitForURL((url) => url.href.endsWith("/ui/runners"));

      await page.keyboard.press("/");
      await page.keyboard.type("gj?");
      expect(await page.getByLabel("Search runners").inputValue()).toBe("gj?");
      await page.waitForURL((url) => url.href.endsWith("/ui/runners?q=gj%3F"));
      await page.getByText("No runner fits").waitFor();
    },
    LIMIT,
  );

  test(
    "the first Tab offers a way past the header, and it is taken with Enter",
    async () => {
      const page = await beds.signedIn("/ui/events");
      await page.getByRole("heading", { name: "Events" }).waitFor();
      await page.keyboard.press("Tab");
      expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the content");
      await page.keyboard.press("Enter");
      await page.keyboard.press("Tab");
      expect(await page.evaluate(() => document.activeElement?.closest("main") !== null)).toBe(true);
    },
    LIMIT,
  );

  test(
    "nothing moves for a person who asked for less motion",
    async () => {
      const moving = async (reducedMotion: "reduce" | "no-preference") => {
        const page = await beds.signedIn("/ui/events", { reducedMotion });
        await page.getByRole("table").waitFor();
        return page.evaluate(() => {
          const probe = document.createElementNS("http://www.w3.org/2000/svg", "path");
          probe.setAttribute("class", "spin");
          document.querySelector("svg")?.append(probe);
          const all = [...document.querySelectorAll("*")].map((one) => getComputedStyle(one));
          return all.some((style) => style.animationName !== "none" || !/^0s(, 0s)*$/.test(style.transitionDuration));
        });
      };
      expect([await moving("no-preference"), await moving("reduce")]).toEqual([true, false]);
    },
    LIMIT,
  );

  test(
    "a lost coordinator is said, what was known stays, and after a retry the page is current again",
    async () => {
      const page = await beds.signedIn("/ui/runners");
      await page.getByRole("link", { name: "a-runner-with" }).waitFor();
      await page.context().setOffline(true);
      await beds.control.createRunner("made-meanwhile");
      await page.getByText("Connection lost").waitFor();
      expect(await page.getByRole("link", { name: "a-runner-with" }).isVisible()).toBe(true);
      // The browser's own "online" would try again by itself: it is kept from the page.
      await page.evaluate(() => window.addEventListener("online", (event) => event.stopImmediatePropagation(), true));
      await page.context().setOffline(false);
      await page.getByRole("button", { name: "Retry now" }).click();
      await page.getByText("Connection lost").waitFor({ state: "detached" });
      await page.getByRole("link", { name: "made-meanwhile" }).waitFor();
    },
    LIMIT,
  );

  test("the page broke no rule of its policy", () => {
    expect(beds.complaints).toEqual([]);
  });
});
