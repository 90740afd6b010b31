import { failpoint } from "../../kit/base/failpoint.ts";
import type { ClaimRequest, ClaimResponse } from "../../protocol/native.ts";
import { claimJobs, type Grant } from "../store/transitions/claim.ts";
import { directivesFor, lastSeq } from "../store/transitions/directives.ts";
import type { RunnerApiDeps } from "./runner-deps.ts";
import { claimDocument } from "./runner-wire.ts";

/** Whose claim it is. */
interface Caller {
  readonly runnerId: string;
  /** Its token may be taken back while it waits. */
  known(): boolean;
}

/** Claims that wait for work: at most one per instance. */
export interface ClaimHolder {
  /** Resolves with work or wishes, or empty after `wait_ms`, when a newer claim of this instance comes, or its token ends. */
  hold(caller: Caller, request: ClaimRequest, publicUrl: string, gone: AbortSignal): Promise<ClaimResponse>;
  /** Ends the held claim of an instance with an empty answer. */
  drop(runnerId: string, instanceId: string): void;
  /** Claims that wait now. */
  waiting(): number;
  stop(): void;
}

interface Waiter {
  readonly runnerId: string;
  readonly request: ClaimRequest;
  readonly publicUrl: string;
  readonly hungry: boolean;
  /** Looks for work; a call while a look is under way is one more look after it. */
  look(): Promise<void>;
  /** Answers empty, unless a look under way brings something first. */
  end(): void;
  /** As `end`, and nothing more is granted to it: nobody would read the answer. */
  abandon(): void;
}

export function createClaimHolder(deps: RunnerApiDeps): ClaimHolder {
  const { store } = deps;
  const waiters = new Map<string, Waiter>();
  const offJobs = store.wake.onJobs(() => {
    for (const waiter of waiters.values()) if (waiter.hungry) void waiter.look();
  });
  const offRunner = store.wake.onRunner((runnerId) => {
    for (const waiter of waiters.values()) if (waiter.runnerId === runnerId) void waiter.look();
  });

  const hold: ClaimHolder["hold"] = async (caller, request, publicUrl, gone) => {
    const { runnerId } = caller;
    const { promise, resolve, reject } = Promise.withResolvers<ClaimResponse>();
    const name = nameOf(runnerId, request.instance_id);
    const waiter = createWaiter(deps, { caller, request, publicUrl, resolve, reject });
    waiters.get(name)?.abandon();
    waiters.set(name, waiter);
    gone.addEventListener("abort", waiter.abandon, { once: true });
    const timer = request.wait_ms === 0 ? undefined : setTimeout(waiter.end, request.wait_ms);
    try {
      await waiter.look();
      if (request.wait_ms === 0) waiter.end();
      return await promise;
    } finally {
      clearTimeout(timer);
      gone.removeEventListener("abort", waiter.abandon);
      if (waiters.get(name) === waiter) waiters.delete(name);
      store.runners.touch(runnerId);
    }
  };

  return {
    hold,
    drop: (runnerId, instanceId) => waiters.get(nameOf(runnerId, instanceId))?.abandon(),
    waiting: () => waiters.size,
    stop: () => {
      offJobs();
      offRunner();
      for (const waiter of waiters.values()) waiter.end();
    },
  };
}

/** Machines made from one image may have the same instance, and a runner each. */
const nameOf = (runnerId: string, instanceId: string): string => `${runnerId} ${instanceId}`;

interface WaiterInput {
  readonly caller: Caller;
  readonly request: ClaimRequest;
  readonly publicUrl: string;
  readonly resolve: (answer: ClaimResponse) => void;
  readonly reject: (error: unknown) => void;
}

function createWaiter(deps: RunnerApiDeps, input: WaiterInput): Waiter {
  const { caller, request, publicUrl, resolve, reject } = input;
  const empty: ClaimResponse = { claims: [], directives: [], after: request.after };
  let looking = false;
  let again = false;
  let ended = false;
  let abandoned = false;
  const end = () => {
    ended = true;
    if (!looking) resolve(empty);
  };
  const waiter: Waiter = {
    runnerId: caller.runnerId,
    request,
    publicUrl,
    hungry: Object.values(request.slots).some((free) => free > 0),
    end,
    abandon: () => {
      abandoned = true;
      end();
    },
    look: async () => {
      again = true;
      if (looking) return;
      looking = true;
      try {
        while (again && !ended) {
          again = false;
          if (!caller.known()) {
            ended = true; // asks again, and is told why it gets nothing
            break;
          }
          const answer = await take(deps, waiter, () => abandoned);
          if (answer === null) continue;
          ended = true;
          resolve(answer);
        }
      } catch (error) {
        ended = true;
        reject(error);
      }
      looking = false;
      if (ended) resolve(empty);
    },
  };
  return waiter;
}

/** One look: claims and wishes in one transaction; null when there is nothing. */
async function take(deps: RunnerApiDeps, waiter: Waiter, abandoned: () => boolean): Promise<ClaimResponse | null> {
  const { store } = deps;
  const { runnerId, request } = waiter;
  const found = await store.db.group((): { grants: readonly Grant[]; directives: ClaimResponse["directives"] } => {
    // The connection may have gone while this waited for its turn: nothing is granted to nobody.
    if (abandoned()) return { grants: [], directives: [] };
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
