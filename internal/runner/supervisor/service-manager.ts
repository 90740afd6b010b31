import type { Result } from "../../protocol/errors.ts";

/** What is known about the runner that is looked after. */
export interface ServiceState {
  /** Main process; null: none runs. */
  readonly pid: number | null;
  /** Its session with the control plane is open. */
  readonly ready: boolean;
  /** Ends it did not ask for, since it was last started here. */
  readonly ends: number;
  /** Neither runs nor is about to. */
  readonly down: boolean;
  /** Down because the service manager has given it up. */
  readonly failed: boolean;
  /** For people: what the service manager says. */
  readonly text: string;
}

/** How the runner that mng looks after is started and stopped. It outlives mng. */
export interface ServiceManager {
  readonly kind: "systemd" | "process";
  state(): Promise<ServiceState>;
  /** Does nothing while one runs. Error `environment`: it cannot be started. */
  start(): Promise<Result<void>>;
  /** `drain`: running jobs end first. `leave`: at once; tools live on, the next start takes them up. Ends when it has. */
  stop(how: "drain" | "leave"): Promise<Result<void>>;
  /** This process goes, the runner stays. */
  close(): void;
}
