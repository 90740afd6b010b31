import { z } from "zod";

/**
 * What an operator may set for runners (`/api/v1/settings`, `/api/v1/runners/{id}/settings`): the settings of
 * protocol/nuon/settings.ts that mean something here, in the units of the operator API. An absent key follows the
 * level above: one runner, then all runners, then what is built in.
 */
export const runnerWishes = z.strictObject({
  /** Lines of the runner below this level stay out of job logs; output of tools always passes. */
  logging_level: z.enum(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]).optional(),
  /** false: no job logs at all. */
  enable_logging: z.boolean().optional(),
  /** false: the runner pushes no metrics (its /metrics stays). */
  enable_metrics: z.boolean().optional(),
  enable_sentry: z.boolean().optional(),
  /** Jobs are answered with made-up results; nothing is touched. */
  sandbox_mode: z.boolean().optional(),
  /** A Go runner reports itself this often; milliseconds. */
  heart_beat_timeout_ms: z.number().int().min(1_000).max(3_600_000).optional(),
  container_image_url: z.string().min(1).max(500).optional(),
  /** The version that runners should have; `latest` names none. */
  container_image_tag: z.string().min(1).max(200).optional(),
  groups: z.array(z.string().min(1).max(100)).max(50).optional(),
  /** Joined with what the coordinator says about the runner; copied into the resource of its logs. */
  metadata: z.record(z.string().min(1).max(100), z.string().max(1_000)).optional(),
  otel_collector_config: z.string().max(100_000).optional(),
  platform: z.string().max(100).optional(),
  aws_instance_type: z.string().max(100).optional(),
  /** Seconds. */
  aws_max_instance_lifetime: z.number().int().min(0).max(1_000_000_000).optional(),
});
export type RunnerWishes = z.infer<typeof runnerWishes>;

const wish = runnerWishes.shape;
/** A change: a value sets a key, null gives it back to the level above, an absent key stays. */
export const wishesPatch = z.strictObject({
  logging_level: wish.logging_level.nullable(),
  enable_logging: wish.enable_logging.nullable(),
  enable_metrics: wish.enable_metrics.nullable(),
  enable_sentry: wish.enable_sentry.nullable(),
  sandbox_mode: wish.sandbox_mode.nullable(),
  heart_beat_timeout_ms: wish.heart_beat_timeout_ms.nullable(),
  container_image_url: wish.container_image_url.nullable(),
  container_image_tag: wish.container_image_tag.nullable(),
  groups: wish.groups.nullable(),
  metadata: wish.metadata.nullable(),
  otel_collector_config: wish.otel_collector_config.nullable(),
  platform: wish.platform.nullable(),
  aws_instance_type: wish.aws_instance_type.nullable(),
  aws_max_instance_lifetime: wish.aws_max_instance_lifetime.nullable(),
} satisfies Record<keyof RunnerWishes, z.ZodType>);
export type WishesPatch = z.infer<typeof wishesPatch>;

export const settingsPatch = z.strictObject({
  settings: wishesPatch,
  /** Why; kept in the timeline and the audit trail. */
  reason: z.string().max(1_000).optional(),
});

/** Settings as an operator sees them. */
export const settingsDoc = z.strictObject({
  /** null: the settings of all runners. */
  runner_id: z.string().nullable(),
  /** Set on this level. */
  own: runnerWishes,
  /** What counts, with the levels above; `metadata` is joined over them. */
  effective: runnerWishes,
});
export type SettingsDoc = z.infer<typeof settingsDoc>;

/** The version that settings ask for; null: `latest`, or nothing, names none. */
export function expectedVersion({
  container_image_tag: tag,
}: {
  readonly container_image_tag?: string | null | undefined;
}) {
  return tag && tag !== "latest" ? tag : null;
}

/** Whether a runner of version `running` is the one asked for; a `v` in front, and the commit behind a `+`, may be left out. */
export function isVersion(wanted: string | null, running: string): boolean {
  const plain = (text: string) => text.replace(/^v(?=\d)/, "");
  return wanted === null || plain(wanted) === plain(running) || plain(wanted) === plain(running).split("+")[0];
}
