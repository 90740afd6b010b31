/** `linux_amd64`, `darwin_arm64`: the vendor's words for where this program runs. */
export function platformName(os: string = process.platform, arch: string = process.arch): string {
  return `${os === "win32" ? "windows" : os}_${arch === "x64" ? "amd64" : arch}`;
}
