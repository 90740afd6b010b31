import { z } from "zod";

/** `terraform show -json`: what the page shows of it. Everything else is let pass; a document may be empty. */
const resource = z.looseObject({
  address: z.string(),
  mode: z.string().optional(),
  type: z.string().optional(),
  name: z.string().optional(),
  provider_name: z.string().optional(),
  values: z.record(z.string(), z.unknown()).nullish(),
  sensitive_values: z.unknown().optional(),
});
export type StateResource = z.infer<typeof resource>;

export interface StateModule {
  readonly address?: string | undefined;
  readonly resources?: readonly StateResource[] | undefined;
  readonly child_modules?: readonly StateModule[] | undefined;
}

const stateModule: z.ZodType<StateModule> = z.lazy(() =>
  z.looseObject({
    address: z.string().optional(),
    resources: z.array(resource).optional(),
    child_modules: z.array(stateModule).optional(),
  }),
);

export const stateJson = z.looseObject({
  terraform_version: z.string().optional(),
  values: z
    .looseObject({
      outputs: z
        .record(z.string(), z.looseObject({ sensitive: z.boolean().optional(), value: z.unknown() }))
        .optional(),
      root_module: stateModule.optional(),
    })
    .optional(),
});
export type StateJson = z.infer<typeof stateJson>;
