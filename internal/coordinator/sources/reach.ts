import { z } from "zod";
import { jobOfCredentials } from "../api/auth.ts";
import { JOB_EXTRA } from "../compile/new-job.ts";
import type { Store } from "../store/store.ts";

const digests = z.array(z.string());

/** Manifests that an execution's Basic credentials may read: those of its own job. null: they are wrong or outdated. */
export function sourcesReached(store: Store, username: string, password: string): readonly string[] | null {
  const job = jobOfCredentials(store, username, password);
  if (job === null) return null;
  const stored = store.sql.documents.all(job.id).find((row) => row.kind === JOB_EXTRA.sources);
  return stored === undefined ? [] : digests.parse(JSON.parse(stored.json));
}
