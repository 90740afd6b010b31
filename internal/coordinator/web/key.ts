/**
 * The operator key of this tab. It lies in sessionStorage only: gone with the tab, never in a URL, a cookie or a store
 * that other tabs read.
 */
const NAME = "runner.key";

export function storedKey(): string | null {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null;
  }
}

export function rememberKey(key: string): void {
  try {
    sessionStorage.setItem(NAME, key);
  } catch {
    // Storage is refused: the key then lives in memory until the page is left.
  }
}

export function forgetKey(): void {
  try {
    sessionStorage.removeItem(NAME);
  } catch {
    // Nothing was stored.
  }
}
