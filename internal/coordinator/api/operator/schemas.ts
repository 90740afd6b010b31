import { z } from "@hono/zod-openapi";
import { problemBody } from "../../../protocol/operator.ts";

/**
 * A schema of the protocol under its name in the OpenAPI document. Schemas get their `openapi` method while they are
 * made, and the protocol may be loaded before the library that gives it: a clone is made now and has it.
 */
export const named = <S extends z.ZodType>(schema: S, name: string): S => schema.clone().openapi(name);

/** Pieces that several routes share. */
export const problemAnswer = {
  description: "What went wrong, and what to do about it",
  content: { "application/json": { schema: named(problemBody, "Problem") } },
};

export const answers = <S extends z.ZodType>(schema: S, description: string) => ({
  200: { description, content: { "application/json": { schema } } },
  default: problemAnswer,
});

export const jsonBody = <S extends z.ZodType>(schema: S, required: boolean) => ({
  required,
  content: { "application/json": { schema } },
});

export const done = z.strictObject({ done: z.literal(true) }).openapi("Done");
export const DONE = { done: true } as const;

/** Why a person does it; kept in the timeline. */
export const reasonBody = z.strictObject({ reason: z.string().max(1_000).optional() }).openapi("Reason");
export const reasonFrom = (body: z.infer<typeof reasonBody> | undefined): string => body?.reason ?? "";

export const idParam = z.object({ id: z.string().openapi({ description: "Id of a job, change or runner" }) });

/** A count in a query string, `most` at most. */
export const countParam = (most: number, preset: number) =>
  z
    .string()
    .regex(/^\d{1,6}$/, `a whole number, at most ${most}`)
    .transform(Number)
    .pipe(z.number().min(1).max(most))
    .optional()
    .transform((n) => n ?? preset)
    .openapi({ type: "integer", description: `1 to ${most}; ${preset} when left out` });

export const seqParam = z
  .string()
  .regex(/^\d{1,15}$/, "a whole number")
  .transform(Number)
  .optional()
  .openapi({ type: "integer", description: "Only events behind this seq" });
