/** The text of an answer, read up to `limit` bytes. Throws BodyTooLarge beyond it, and what fetch throws when it is cut. */
export async function readText(answer: Response, limit: number): Promise<string> {
  const announced = Number(answer.headers.get("content-length") ?? Number.NaN);
  const plain = answer.headers.get("content-encoding") === null;
  if (announced > limit) {
    await answer.body?.cancel();
    throw new BodyTooLarge(limit);
  }
  // Only an uncompressed body is bounded by its announced length.
  if (plain && announced <= limit) return answer.text();
  return new TextDecoder().decode(await readStream(answer, limit));
}

async function readStream(answer: Response, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of answer.body ?? []) {
    size += part.byteLength;
    if (size > limit) throw new BodyTooLarge(limit);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** The answer is larger than its reader allows. Repeating the request would not help. */
export class BodyTooLarge extends Error {
  constructor(limit: number) {
    super(`the answer is larger than ${limit} bytes`);
    this.name = "BodyTooLarge";
  }
}
