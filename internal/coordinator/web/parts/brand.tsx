import type { JSX } from "preact";

export function Brand(): JSX.Element {
  return (
    <span class="brand">
      <svg viewBox="0 0 16 16" width="20" height="20" aria-hidden="true">
        <rect width="16" height="16" rx="4" class="brand-box" />
        <path d="M5.5 4.2 L11 8 L5.5 11.8 Z" class="brand-mark" />
      </svg>
      runner
    </span>
  );
}
