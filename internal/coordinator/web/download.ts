/** Hands a fetched document over as a file, as if a link to it had been followed. */
export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has read it long before; until then the address must stay good.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
