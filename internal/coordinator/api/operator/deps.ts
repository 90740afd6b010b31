import type { SystemLog } from "../../../kit/base/system-log.ts";
import type { PublicJwk } from "../../../kit/signing/index.ts";
import type { ChangeEngine } from "../../changes/engine.ts";
import type { LogStore } from "../../logs/log-store.ts";
import type { SourceStore } from "../../sources/source-store.ts";
import type { Store } from "../../store/store.ts";

export interface OperatorDeps {
  readonly store: Store;
  readonly sources: SourceStore;
  readonly changes: ChangeEngine;
  readonly logs: LogStore;
  readonly adminKey: string;
  /** See SubmitDeps. */
  readonly https: boolean;
  readonly log: SystemLog;
  /** Public halves of what work is signed with. Default: none. */
  readonly signingKeys?: readonly PublicJwk[];
}

/** Who acts in the timeline when the admin key was given. */
export const ADMIN = "admin";
