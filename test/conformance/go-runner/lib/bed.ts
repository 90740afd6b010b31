import { makeBed, until } from "../../../faults/lib/processes.ts";
import { type Control, startControl } from "./control.ts";
import { type GoRunner, type GoRunnerOptions, startGoRunner } from "./go-runner.ts";
import { type GoTransport, goTransport } from "./http.ts";
import { createSdk, type Sdk } from "./sdk.ts";

export interface Identity {
  readonly id: string;
  readonly token: string;
}

/** A coordinator process with replayed Go runners in front of it. */
export interface GoBed extends Control {
  path(...parts: string[]): string;
  identity(): Promise<Identity>;
  /** A Go runner with short idle waits, gone with the bed. */
  start(identity: Identity, options?: Partial<GoRunnerOptions>): Promise<GoRunner>;
  /** The SDK alone, for calls one by one. */
  sdk(identity: Identity): Sdk;
  transport(): GoTransport;
  /** Every Go runner started here is gone, as after SIGKILL. */
  killRunners(): void;
  end(): Promise<void>;
}

export async function startGoBed(options: Parameters<typeof startControl>[1] = {}): Promise<GoBed> {
  const processes = makeBed();
  const control = await startControl(processes, options);
  const runners: GoRunner[] = [];
  const transports: GoTransport[] = [];
  let identities = 0;
  const transport = () => {
    const made = goTransport(control.url, control.ca?.pem ?? null);
    transports.push(made);
    return made;
  };
  return {
    ...control,
    path: processes.path,
    identity: () => control.createRunner(`go-${++identities}`),
    start: async (identity, more = {}) => {
      const runner = await startGoRunner({ url: control.url, ...identity, pace: 0.1, ca: control.ca, ...more });
      runners.push(runner);
      return runner;
    },
    sdk: (identity) => createSdk(transport(), identity.token),
    transport,
    killRunners: () => {
      for (const runner of runners.splice(0)) runner.kill();
    },
    end: async () => {
      for (const runner of runners) runner.kill();
      for (const made of transports) made.close();
      await processes.end();
    },
  };
}

export { until };
