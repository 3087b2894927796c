/** Drawings are bundled as text (`with { type: "text" }`). */
declare module "*.svg" {
  const drawing: string;
  export default drawing;
}
