import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDataDir } from "../../../internal/coordinator/data-dir.ts";
import { startCoordinator } from "../../../internal/coordinator/start.ts";
import { hashToken } from "../../../internal/coordinator/store/credentials.ts";
import { createStore } from "../../../internal/coordinator/store/store.ts";
import { newJob } from "../../../internal/coordinator/store/test-store.ts";
import { submitJob } from "../../../internal/coordinator/store/transitions/submit.ts";
import { exactWorkspace } from "../../../internal/coordinator/store/transitions/workspaces.ts";
import type { NewJob } from "../../../internal/coordinator/store/types.ts";
import { systemClock } from "../../../internal/kit/base/clock.ts";
import { silentLog } from "../../../internal/kit/base/system-log.ts";
import { DEFAULT_TIMES } from "../../../internal/protocol/times.ts";

/**
 * A real coordinator whose rows have the ids of the recordings, so that a recorded request finds what it names. Jobs are
 * put into its database through a second connection, as another process sharing the folder would.
 */
export interface World {
  readonly url: string;
  /** A job with its documents and workspace; answers the id of the log stream it will write to. */
  submit(job: Partial<NewJob>): string;
  stop(): Promise<void>;
}

export async function startWorld(runners: readonly { readonly id: string; readonly token: string }[]): Promise<World> {
  const dataDir = mkdtempSync(join(tmpdir(), "requests-"));
  const side = openDataDir(dataDir, false);
  const store = createStore({ db: side.db, times: DEFAULT_TIMES, clock: systemClock, secret: side.secret });
  for (const { id, token } of runners) {
    side.db
      .prepare<unknown, [string, string, string, number]>(
        "INSERT INTO runners (id, name, token_hash, created_at) VALUES (?, ?, ?, ?)",
      )
      .run(id, id, hashToken(token), systemClock.now());
  }
  const coordinator = await startCoordinator(
    {
      version: "test",
      host: "127.0.0.1",
      port: 0,
      dataDir,
      adminKeyFile: join(dataDir, "admin.key"),
      publicUrl: null,
      tls: null,
      times: DEFAULT_TIMES,
      exclusive: false,
    },
    { log: silentLog },
  );
  return {
    url: coordinator.url,
    submit: (job) => {
      const made = newJob(job);
      if (made.workspaceId !== null) exactWorkspace(store, made.workspaceId);
      submitJob(store, made);
      return store.sql.job.get(made.id)?.log_stream_id ?? "";
    },
    stop: async () => {
      await coordinator.stop();
      side.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
