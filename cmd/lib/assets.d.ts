/** Files that the build puts into the binary as text. */
declare module "*.tf" {
  const text: string;
  export = text;
}
