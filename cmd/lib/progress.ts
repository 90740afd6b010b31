import { type Clock, systemClock } from "../../internal/kit/base/clock.ts";
import type { JobShow } from "../../internal/protocol/operator.ts";
import type { Watcher } from "./follow.ts";
import { type Paint, painter, seconds } from "./summary.ts";
import { terminalText } from "./terminal-text.ts";

export interface ProgressOptions {
  /** Lines that stay: the job's output and its steps. */
  readonly print: (text: string) => void;
  /** Raw text to the terminal for the line that moves; null: no terminal, plain lines only. */
  readonly draw: ((text: string) => void) | null;
  readonly colour: boolean;
  readonly columns: () => number;
}

const FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const FRAME_MS = 100;
const CLEAR = "\r\x1b[2K";

/** Shows a job while it runs: its log, one line per step that ended and, on a terminal, what runs now and since when. */
export function createProgress(options: ProgressOptions, clock: Clock = systemClock): Watcher & { end(): void } {
  const paint = painter(options.colour);
  const shown = new Set<string>();
  let status = "";
  let frame = 0;
  let since = clock.monotonic();
  let drawn = false;

  const erase = () => {
    if (drawn) options.draw?.(CLEAR);
    drawn = false;
  };
  const print = (text: string) => {
    erase();
    options.print(text);
  };
  const animate = () => {
    if (!status) return;
    const spinner = FRAMES[frame++ % FRAMES.length];
    const text = `${spinner} ${status} ${seconds(clock.monotonic() - since)}`.slice(0, options.columns() - 1);
    options.draw?.(`${CLEAR}${paint(text, "cyan")}`);
    drawn = true;
  };
  const timer = options.draw ? setInterval(animate, FRAME_MS) : null;

  return {
    line: (line) => print(terminalText(line.text, options.colour)),
    job: (job) => {
      for (const step of job.steps) {
        const key = `${step.name} ${step.started_at}`;
        if (step.status === "pending" || step.status === "in-progress" || shown.has(key)) continue;
        shown.add(key);
        print(stepLine(step, paint));
      }
      const now = doing(job);
      if (now === status) return;
      status = now;
      since = clock.monotonic();
      if (!options.draw && WAITING.test(status)) print(status);
    },
    end: () => {
      if (timer) clearInterval(timer);
      erase();
    },
  };
}

/** What a person without a spinner must know of: nothing goes on until something else happens. */
const WAITING = /waiting|approval/;

function doing(job: JobShow): string {
  const step = job.steps.find((one) => one.status === "in-progress");
  const name = job.name || job.id;
  if (step) return `${name}: ${step.name}`;
  if (job.status === "approval-awaiting") return `${name}: waiting for approval (runner job approve ${job.id})`;
  const waits = job.status === "queued" || job.status === "available";
  if (waits && job.reason) return `${name}: waiting, ${job.reason}`;
  return `${name}: ${job.status}`;
}

function stepLine(step: JobShow["steps"][number], paint: Paint): string {
  const good = step.status === "finished";
  const code = !good && step.exit_code ? `, exit code ${step.exit_code}` : "";
  const mark = good ? paint("✓", "green") : paint("✗", "red");
  return `${mark} ${step.name} ${paint(`${step.status === "error" ? "failed" : step.status} in ${seconds(step.duration_ms)}${code}`, "dim")}`;
}
