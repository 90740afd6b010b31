import { type ImageReference, imageReference } from "../../kit/containers/index.ts";
import { RunnerError } from "../../protocol/errors.ts";

/** Without tag and digest, with its registry. */
export const repositoryOf = ({ host, repository }: Pick<ImageReference, "host" | "repository">): string =>
  `${host}/${repository}`;

/** As it is kept: `host/name:tag@sha256:…`, so that people read the tag and engines obey the digest. */
export const pinnedName = (image: ImageReference, digest: string): string =>
  `${repositoryOf(image)}${image.tag === null ? "" : `:${image.tag}`}@${digest}`;

/**
 * What is asked for: a tag, `tag@sha256:…`, `sha256:…`, or a whole name. It must be of `repository`: whoever may name a
 * tag may not say whose program runs here. Throws RunnerError usage, or job for what is no image.
 */
export function wantedImage(wanted: string, repository: string): ImageReference {
  const whole = wanted.includes("/") ? wanted : `${repository}${wanted.startsWith("sha256:") ? "@" : ":"}${wanted}`;
  const image = imageReference(whole);
  if (repositoryOf(image) === repository) return image;
  throw new RunnerError(
    "usage",
    `the image ${repositoryOf(image)} is asked for, this machine takes ${repository} only`,
    {
      remedy: `RUNNER_IMAGE_REPOSITORY=${repositoryOf(image)} in the environment of mng allows it.`,
    },
  );
}

/** Whether an image in use is the one that is called `wanted`: by its digest where that is given, else by its tag. */
export function isImage(wanted: string, inUse: string): boolean {
  try {
    const used = imageReference(inUse);
    const image = wantedImage(wanted, repositoryOf(used));
    return image.digest === null ? image.tag === used.tag : image.digest === used.digest;
  } catch {
    return wanted === inUse;
  }
}
