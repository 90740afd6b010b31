import { failpoint } from "../../kit/base/failpoint.ts";
import type { ClaimRequest, ClaimResponse } from "../../protocol/native.ts";
import { claimJobs, type Grant } from "../store/transitions/claim.ts";
import { directivesFor, lastSeq } from "../store/transitions/directives.ts";
import type { RunnerApiDeps } from "./runner-deps.ts";
import { claimDocument } from "./runner-wire.ts";

/** Claims that wait for work: at most one per instance. */
export interface ClaimHolder {
  /** Resolves with work or wishes, or empty after `wait_ms`, or when a newer claim of this instance comes. */
  hold(runnerId: string, request: ClaimRequest, publicUrl: string, gone: AbortSignal): Promise<ClaimResponse>;
  /** Ends the held claim of an instance with an empty answer. */
  drop(instanceId: string): void;
  stop(): void;
}

interface Waiter {
  readonly runnerId: string;
  readonly request: ClaimRequest;
  readonly publicUrl: string;
  readonly hungry: boolean;
  /** Looks again; further calls while one look is under way are one more look. */
  look(): void;
  /** Answers empty. */
  end(): void;
}

export function createClaimHolder(deps: RunnerApiDeps): ClaimHolder {
  const { store } = deps;
  const waiters = new Map<string, Waiter>();
  const offJobs = store.wake.onJobs(() => {
    for (const waiter of waiters.values()) if (waiter.hungry) waiter.look();
  });
  const offRunner = store.wake.onRunner((runnerId) => {
    for (const waiter of waiters.values()) if (waiter.runnerId === runnerId) waiter.look();
  });

  const hold: ClaimHolder["hold"] = (runnerId, request, publicUrl, gone) =>
    new Promise((resolve, reject) => {
      const instance = request.instance_id;
      waiters.get(instance)?.end();
      let done = false;
      let looking = false;
      let again = false;
      const settle = (answer: ClaimResponse) => {
        if (done) return;
        done = true;
        clearTimeout(timer);
        gone.removeEventListener("abort", end);
        if (waiters.get(instance) === waiter) waiters.delete(instance);
        store.runners.touch(runnerId);
        resolve(answer);
      };
      const end = () => settle({ claims: [], directives: [], after: request.after });
      const look = async () => {
        if (done) return;
        if (looking) {
          again = true;
          return;
        }
        looking = true;
        do {
          again = false;
          const answer = await take(deps, waiter, () => done);
          if (answer !== null) settle(answer);
        } while (again && !done);
        looking = false;
        if (request.wait_ms === 0) end();
      };
      const fail = (error: unknown) => {
        end();
        reject(error);
      };
      const timer = setTimeout(end, request.wait_ms);
      const hungry = Object.values(request.slots).some((free) => free > 0);
      const waiter: Waiter = { runnerId, request, publicUrl, hungry, look: () => void look().catch(fail), end };
      gone.addEventListener("abort", end, { once: true });
      waiters.set(instance, waiter);
      look().catch((error: unknown) => {
        done = true;
        clearTimeout(timer);
        waiters.delete(instance);
        reject(error);
      });
    });

  return {
    hold,
    drop: (instanceId) => waiters.get(instanceId)?.end(),
    stop: () => {
      offJobs();
      offRunner();
      for (const waiter of [...waiters.values()]) waiter.end();
    },
  };
}

/** One look: claims and wishes in one transaction; null when there is nothing. */
async function take(deps: RunnerApiDeps, waiter: Waiter, done: () => boolean): Promise<ClaimResponse | null> {
  const { store } = deps;
  const { runnerId, request } = waiter;
  const found = await store.db.group((): { grants: readonly Grant[]; directives: ClaimResponse["directives"] } => {
    // The connection may have gone while this waited for its turn: nothing is granted to nobody.
    if (done()) return { grants: [], directives: [] };
    const grants = claimJobs(store, {
      runnerId,
      instanceId: request.instance_id,
      key: request.key,
      slots: request.slots,
    });
    if (grants.length > 0) failpoint("coordinator.claim.before");
    return { grants, directives: directivesFor(store, runnerId, request.instance_id, request.after) };
  }, "full");
  if (found.grants.length === 0 && found.directives.length === 0) return null;
  if (found.grants.length > 0) failpoint("coordinator.claim.after");
  return {
    claims: found.grants.map((grant) => claimDocument(deps, grant, waiter.publicUrl)),
    directives: found.directives,
    after: lastSeq(found.directives, request.after),
  };
}
