import type { SystemLog } from "../kit/base/system-log.ts";
import type { SigningKey } from "../kit/signing/index.ts";
import type { Telemetry } from "../kit/telemetry/telemetry.ts";
import type { Times } from "../protocol/times.ts";
import type { ExchangeOptions } from "./identity/exchange.ts";
import type { Retention } from "./store/transitions/prune.ts";

export interface CoordinatorOptions {
  readonly version: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Database, logs, sources. */
  readonly dataDir: string;
  /** One line, the key; made with mode 0600 when missing. Default `<dataDir>/admin.key`. */
  readonly adminKeyFile: string;
  /** Where runners reach this coordinator; default: the Host header of their request. */
  readonly publicUrl: string | null;
  readonly tls: { readonly cert: string; readonly key: string } | null;
  readonly times: Times;
  /** Default: 30 days, plans one day. */
  readonly retention?: Retention;
  /** How long a change waits for a person unless its job file says so, in milliseconds. Default 24 h. */
  readonly approvalMs?: number;
  /** State versions kept per workspace; 0: all. Default 100. */
  readonly keepStates?: number;
  /** Signs the work it hands out; default: nothing is signed. */
  readonly signingKey?: SigningKey;
  /** Default: public authorities, AWS' own hosts, tokens that last until the next one is used. */
  readonly exchange?: ExchangeOptions;
  /** false for run-local: several may share one data folder. */
  readonly exclusive: boolean;
}

export interface CoordinatorDeps {
  readonly log: SystemLog;
  /** null: no collector is named. Its end is the caller's. */
  readonly telemetry?: Telemetry | null;
}

export interface Coordinator {
  readonly url: string;
  readonly adminKey: string;
  stop(): Promise<void>;
}
