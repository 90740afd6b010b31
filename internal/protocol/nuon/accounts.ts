import { z } from "zod";
import { bool, later, partFields, str, stringMap, time, word, wordOf } from "./base.ts";
import { ACCOUNT_TYPES, PERMISSIONS, POLICY_NAMES, ROLE_TYPES } from "./words.ts";

export const userJourneyStep = z.looseObject({
  complete: bool,
  completed_at: time,
  completion_method: str,
  completion_source: str,
  metadata: z.unknown().optional(),
  name: str,
  title: str,
});

export const userJourney = z.looseObject({
  name: str,
  steps: z.array(userJourneyStep).nullish(),
  title: str,
});

export const accountPolicy = z.looseObject({
  ...partFields,
  name: word(POLICY_NAMES),
  permissions: stringMap,
  role_id: str,
  role: later((): z.core.SomeType => accountRole),
});

export const accountRole = z.looseObject({
  ...partFields,
  created_by: later((): z.core.SomeType => account),
  policies: z.array(accountPolicy).nullish(),
  role_type: word(ROLE_TYPES),
});

/** Who did something (`created_by`): a person, or the service account of a runner. */
export const account = z.looseObject({
  ...partFields,
  account_type: word(ACCOUNT_TYPES),
  email: str,
  org_ids: z.array(z.string()).nullish(),
  permissions: z.record(z.string(), wordOf(PERMISSIONS).nullable()).nullish(),
  roles: z.array(accountRole).nullish(),
  subject: str,
  user_journeys: z.array(userJourney).nullish(),
});
