import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { failpoint } from "../../../../kit/base/failpoint.ts";
import { jobDoc, jobShow, submission, submitted, workCounts } from "../../../../protocol/operator.ts";
import { readChange } from "../../../changes/change-rows.ts";
import { retryWork } from "../../../changes/retry.ts";
import { submitWork } from "../../../changes/submit.ts";
import { cancelJob } from "../../../store/transitions/cancel.ts";
import { ADMIN, type OperatorDeps } from "../deps.ts";
import { countWork, listWork, SORTS } from "../job-list.ts";
import { showWork } from "../job-views.ts";
import { planDocument } from "../plan-document.ts";
import { explained, granted, notFound, unwrap } from "../problem.ts";
import { answers, countParam, DONE, done, idParam, jsonBody, named, reasonBody, reasonFrom } from "../schemas.ts";
import { decideOnce, submitOnce } from "../submit-once.ts";

const tags = ["jobs"];
const wish = (description: string) => z.string().max(200).optional().openapi({ description });
const filter = {
  type: wish("Only this job type"),
  group: wish("Only this group"),
  runner: wish("Only what this runner works or worked on, or alone may"),
  workspace: wish("Only this workspace"),
  q: wish("Part of a name, id, type, operation or workspace"),
};
const listQuery = z.strictObject({
  status: z.string().optional().openapi({ description: "Status words, comma between them", example: "queued,failed" }),
  ...filter,
  sort: z
    .enum(SORTS.flatMap((column) => [column, `-${column}`] as const))
    .optional()
    .transform((sort) => sort ?? "-created")
    .openapi({
      type: "string",
      description: "A column; with - before it the other way round. Newest first (-created) when left out",
    }),
  limit: countParam(200, 50),
  before: z.string().optional().openapi({ description: "Id of the last job of the page before: goes on behind it" }),
  back: z.string().optional().openapi({ description: "Id of the first job of a page: the page before that" }),
});
const countQuery = z.strictObject(filter);

const submit = createRoute({
  method: "post",
  path: "/jobs",
  tags,
  summary: "Submit a job file",
  description: "Answers the id of a job, or of a change. A repeat with the same Idempotency-Key answers the same id.",
  request: { body: jsonBody(named(submission, "Submission"), true) },
  responses: answers(named(submitted, "Submitted"), "Queued"),
});

const list = createRoute({
  method: "get",
  path: "/jobs",
  tags,
  summary: "List changes, and jobs that belong to none, a page at a time",
  request: { query: listQuery },
  responses: answers(z.array(named(jobDoc, "Job")), "A page of them"),
});

const counts = createRoute({
  method: "get",
  path: "/jobs/counts",
  tags,
  summary: "Count changes, and jobs that belong to none, per status",
  request: { query: countQuery },
  responses: answers(named(workCounts, "WorkCounts"), "How many there are of each status"),
});

const show = createRoute({
  method: "get",
  path: "/jobs/{id}",
  tags,
  summary: "Show a job or change with executions, steps, events, outputs and diff",
  request: { params: idParam },
  responses: answers(named(jobShow, "JobShow"), "The job or change"),
});

const plan = createRoute({
  method: "get",
  path: "/jobs/{id}/plan",
  tags,
  summary: "The plan of a change or plan job in machine form",
  description:
    "What `terraform show -json` says about changes. Sensitive values are `[redacted]`; configuration, variables and whole states are left out.",
  request: { params: idParam },
  responses: answers(z.looseObject({}), "The plan"),
});

const verb = <N extends string, S extends z.ZodType>(name: N, summary: string, schema: S, description: string) =>
  createRoute({
    method: "post",
    path: `/jobs/{id}/${name}` as const,
    tags,
    summary,
    request: { params: idParam, body: jsonBody(reasonBody, false) },
    responses: answers(schema, description),
  });

const cancel = verb("cancel", "Cancel; final", done, "Cancelled, or its runner has been told");
const retry = verb("retry", "Try again", submitted, "The id to follow: the same for a parked job, else a new one");
const approve = verb("approve", "Approve a change that waits", done, "Its apply job is queued");
const reject = verb("reject", "Reject a change that waits", done, "The change has ended");

export const JOB_ROUTES = [submit, list, counts, show, plan, cancel, retry, approve, reject];

export function jobRoutes(app: OpenAPIHono, deps: OperatorDeps): void {
  const { store, changes } = deps;
  const reasonHook = explained({ json: reasonBody });

  app.openapi(
    submit,
    (c) => {
      const key = c.req.header("idempotency-key");
      const id = submitOnce(store, key, () => unwrap(submitWork(deps, c.req.valid("json"), ADMIN)));
      return c.json({ job: id }, 200);
    },
    explained({ json: submission }),
  );

  app.openapi(list, (c) => c.json(listWork(store, c.req.valid("query")), 200), explained({ query: listQuery }));

  // Before `show`, whose path fits it too.
  app.openapi(counts, (c) => c.json(countWork(store, c.req.valid("query")), 200), explained({ query: countQuery }));

  app.openapi(show, (c) => {
    const { id } = c.req.valid("param");
    const found = showWork(store, id);
    if (found === null) throw noSuch(id);
    return c.json(found, 200);
  });

  app.openapi(plan, (c) => c.json(planDocument(store, c.req.valid("param").id), 200));

  app.openapi(
    cancel,
    (c) => {
      const { id } = c.req.valid("param");
      const reason = reasonFrom(c.req.valid("json"));
      if (readChange(store, id) !== null) granted(changes.cancel(id, ADMIN, reason));
      else granted(cancelJob(store, { jobId: id, by: ADMIN, reason }));
      return c.json(DONE, 200);
    },
    reasonHook,
  );

  app.openapi(
    retry,
    (c) => {
      const { id } = c.req.valid("param");
      return c.json({ job: granted(retryWork(deps, id, ADMIN, reasonFrom(c.req.valid("json")))) }, 200);
    },
    reasonHook,
  );

  app.openapi(
    approve,
    (c) => {
      const { id } = c.req.valid("param");
      const why = reasonFrom(c.req.valid("json"));
      granted(decideOnce(store, decisionKey(c, id, "approve"), () => changes.approve(id, ADMIN, why)));
      failpoint("coordinator.approve.after");
      return c.json(DONE, 200);
    },
    reasonHook,
  );

  app.openapi(
    reject,
    (c) => {
      const { id } = c.req.valid("param");
      const why = reasonFrom(c.req.valid("json"));
      granted(decideOnce(store, decisionKey(c, id, "reject"), () => changes.reject(id, ADMIN, why)));
      return c.json(DONE, 200);
    },
    reasonHook,
  );
}

/** A key of the client's own counts for this decision about this change only. */
function decisionKey(c: Context, id: string, verb: string): string | undefined {
  const key = c.req.header("idempotency-key");
  return key === undefined ? undefined : `${verb}:${id}:${key}`;
}

export const noSuch = (id: string) => notFound(`job or change ${id}`, "`runner job list` shows the ids.");
