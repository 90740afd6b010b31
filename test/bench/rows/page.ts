import type { Browser, Page } from "playwright-core";
import { launchBrowser } from "../../lib/browser.ts";
import { createRunnerPeer } from "../../lib/runner-peer.ts";
import { type Coordinator, startCoordinator } from "../lib/plane.ts";
import { makeBed } from "../lib/processes.ts";
import { atMost, type Row } from "../lib/row.ts";

const JOBS = 10_000;
const LINES = 100_000;
const PER_RECORD = 1_000;
/** Submissions on their way at the same time. */
const AT_ONCE = 16;
/** Places that the log is scrolled to, one a frame. */
const FRAMES = 90;

/** The page with a full queue and a long log, in a real browser whose caches are empty. */
export const page: Row = {
  name: "page",
  why: "The browser parses and runs the page's script (one file, no framework but Preact) before it paints; on two cores it shares them with the coordinator.",
  async measure({ binary, runs, say }) {
    const bed = makeBed();
    const browser = await launchBrowser();
    try {
      const coordinator = await startCoordinator(bed, binary);
      say(`page: ${JOBS} jobs and ${LINES} lines are made`);
      await submitJobs(coordinator);
      const job = await writeLog(coordinator);
      const floor = startFloor();
      const values = { paint: [], list: [], log: [], frames: [], bare: [] } as Record<string, number[]>;
      for (let run = 0; run < runs; run++) {
        const list = await loaded(browser, `${coordinator.url}/ui/jobs`, coordinator.adminKey, ".jobs a.name");
        values.paint?.push(list.paint);
        values.list?.push(list.ready);
        await list.close();
        const bare = await loaded(browser, floor.url, "", ".jobs a.name");
        values.bare?.push(bare.paint);
        await bare.close();
        const log = await loaded(browser, `${coordinator.url}/ui/jobs/${job}`, coordinator.adminKey, ".row-number");
        values.log?.push(await whenComplete(log.page));
        values.frames?.push(...(await scrollFrames(log.page)));
        await log.close();
      }
      floor.stop();
      const bare = { what: "the same rows as one static page", values: values.bare ?? [] };
      const line = { unit: "ms" as const, floor: null };
      return [
        {
          ...line,
          what: "page, first paint with 10,000 jobs",
          values: values.paint ?? [],
          floor: bare,
          goals: [atMost("p95 < 1,000 ms", 0.95, 1_000)],
          how: "navigation start → first contentful paint, by the browser's own clock, in a new browser profile.",
        },
        {
          ...line,
          what: "page, jobs readable with 10,000 jobs",
          values: values.list ?? [],
          goals: [atMost("p95 ≤ 1,500 ms", 0.95, 1_500)],
          how: "navigation start → the first row of the list is in the document.",
        },
        {
          ...line,
          what: "page, log of 100,000 lines complete",
          values: values.log ?? [],
          goals: [atMost("median ≤ 3,000 ms", "median", 3_000)],
          how: "navigation start → the page says that it has all lines.",
        },
        {
          ...line,
          what: "page, frame while scrolling 100,000 lines",
          values: values.frames ?? [],
          goals: [atMost("p95 ≤ 50 ms", 0.95, 50)],
          how: "time between two frames while each frame scrolls to another place of the log; one run is one frame.",
        },
      ];
    } finally {
      await browser.close();
      await bed.end();
    }
  },
};

async function submitJobs({ operator }: Coordinator): Promise<void> {
  let next = 0;
  const submit = async () => {
    while (next < JOBS) {
      const name = `job-${next++}`;
      const requires = { labels: { site: "nowhere" } };
      await operator.submit({ type: "script", name, requires, spec: { language: "shell", code: "true" } });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, submit));
}

async function writeLog({ operator, url }: Coordinator): Promise<string> {
  const peer = await createRunnerPeer(url, operator);
  const id = await operator.submit({
    type: "actions-workflow",
    name: "log",
    spec: { steps: [{ name: "a", run: "x" }] },
  });
  const claim = await peer.claim(id);
  for (let from = 0; from < LINES; from += PER_RECORD) {
    const lines = Array.from(
      { length: PER_RECORD },
      (_, n) => `\x1b[32m${from + n}\x1b[0m what a tool says about its work`,
    );
    await peer.log(claim, [{ text: lines.join("\n") }]);
  }
  await peer.finish(id, {});
  return id;
}

interface Loaded {
  readonly page: Page;
  /** Milliseconds after the start of the navigation. */
  readonly paint: number;
  readonly ready: number;
  close(): Promise<void>;
}

async function loaded(browser: Browser, url: string, key: string, selector: string): Promise<Loaded> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 } });
  await context.addInitScript(
    ([secret, wanted]) => {
      sessionStorage.setItem("runner.key", secret ?? "");
      const seen = new MutationObserver(() => {
        if (document.querySelector(wanted ?? "") === null) return;
        performance.mark("ready");
        seen.disconnect();
      });
      seen.observe(document, { childList: true, subtree: true });
    },
    [key, selector],
  );
  const one = await context.newPage();
  await one.goto(url);
  await one.waitForFunction(
    () =>
      performance.getEntriesByName("ready").length > 0 &&
      performance.getEntriesByName("first-contentful-paint").length > 0,
  );
  const at = (name: string) => one.evaluate((entry) => performance.getEntriesByName(entry)[0]?.startTime ?? 0, name);
  return {
    page: one,
    paint: await at("first-contentful-paint"),
    ready: await at("ready"),
    close: () => context.close(),
  };
}

const whenComplete = (one: Page): Promise<number> =>
  one.evaluate(
    (lines) =>
      new Promise<number>((resolve) => {
        const look = () => {
          const words = document.querySelector(".log-state")?.textContent ?? "";
          if (words.startsWith(lines)) resolve(performance.now());
          else requestAnimationFrame(look);
        };
        look();
      }),
    LINES.toLocaleString("en"),
  );

const scrollFrames = (one: Page): Promise<number[]> =>
  one.evaluate(
    (frames) =>
      new Promise<number[]>((resolve) => {
        const box = document.querySelector(".log-box");
        const times: number[] = [];
        const step = (now: number) => {
          times.push(now);
          if (box === null || times.length > frames) {
            return resolve(times.slice(1).map((time, i) => time - (times[i] ?? time)));
          }
          // Now near, now far: a person drags the bar and turns the wheel.
          box.scrollTop = times.length % 10 === 0 ? (box.scrollHeight * times.length) / frames : box.scrollTop + 400;
          requestAnimationFrame(step);
        };
        requestAnimationFrame(step);
      }),
    FRAMES,
  );

/** As many rows as one page of the list has, as plain HTML: what the browser itself needs. */
function startFloor(): { readonly url: string; stop(): void } {
  const rows = Array.from(
    { length: 100 },
    (_, n) => `<tr><td>queued</td><td><a class="name" href="#">job-${n}</a></td></tr>`,
  );
  const html = `<!doctype html><title>floor</title><table class="jobs"><tbody>${rows.join("")}</tbody></table>`;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response(html, { headers: { "content-type": "text/html" } }),
  });
  return { url: `http://127.0.0.1:${server.port}`, stop: () => void server.stop(true) };
}
