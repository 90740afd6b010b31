import { z } from "zod";
import { RunnerError } from "../../protocol/errors.ts";
import type { HttpFailure } from "../http/failure.ts";

/** `Status` of an error answer. */
const statusBody = z.looseObject({
  reason: z.string().nullish(),
  message: z.string().nullish(),
  details: z
    .looseObject({
      causes: z
        .array(
          z.looseObject({ reason: z.string().nullish(), message: z.string().nullish(), field: z.string().nullish() }),
        )
        .nullish(),
    })
    .nullish(),
});

export interface KubeCause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

/** What the cluster refused, in its own words. `status` null: it did not answer. */
export class KubeError extends RunnerError {
  readonly status: number | null;
  /** Kubernetes' word: NotFound, Forbidden, Conflict, Invalid, AlreadyExists …; empty when there was none. */
  readonly reason: string;
  /** Field by field, for Invalid and for the conflicts of a server-side apply. */
  readonly causes: readonly KubeCause[];

  constructor(failure: HttpFailure, what: string) {
    const parsed = statusBody.safeParse(failure.body);
    const { message, reason, details } = parsed.success ? parsed.data : { message: null, reason: null, details: null };
    const remedy = REMEDIES[failure.status ?? 0] ?? failure.remedy;
    super(
      failure.kind === "unreachable" || failure.kind === "cancelled" ? failure.kind : "job",
      `${what}: ${message || failure.message}`,
      {
        ...(remedy === undefined ? {} : { remedy }),
        cause: failure,
      },
    );
    this.name = "KubeError";
    this.status = failure.status;
    this.reason = reason ?? "";
    this.causes = (details?.causes ?? []).map((one) => ({
      reason: one.reason ?? "",
      message: one.message ?? "",
      field: one.field ?? "",
    }));
  }
}

const REMEDIES: Readonly<Record<number, string>> = {
  401: "The cluster does not know this credential: it may have expired, or belong to another cluster.",
  403: "Give the runner's account that right with a Role and a RoleBinding; `kubectl auth can-i` shows what it may.",
};

export const isNotFound = (error: unknown): boolean => error instanceof KubeError && error.status === 404;
