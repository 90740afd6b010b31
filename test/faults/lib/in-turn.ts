/** Of concurrent tests so many at a time: bun starts up to 20, and each of ours is several processes. */
export function inTurn(places: number): (work: () => Promise<void>) => () => Promise<void> {
  let free = places;
  const waiting: (() => void)[] = [];
  return (work) => async () => {
    if (free > 0) free -= 1;
    else await new Promise<void>((go) => waiting.push(go));
    try {
      await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
