/** Stroke icons and the mark. The name of what an icon does is on its button. */
import { ICONS, type IconName } from "../../look/icons.ts";

export type { IconName };

interface IconProps {
  readonly name: IconName;
  readonly size?: "s" | "l";
  /** Mirrored under right-to-left writing. */
  readonly directed?: boolean;
}

export const Icon = ({ name, size, directed }: IconProps) => (
  <svg
    class={`i ${size ?? ""} ${directed === true ? "dir" : ""}`}
    viewBox="0 0 24 24"
    aria-hidden="true"
    dangerouslySetInnerHTML={{ __html: ICONS[name] }}
  />
);

/** State holds icon names as plain text; an unknown one shows the information mark. */
export const iconName = (name: string): IconName => (name in ICONS ? (name as IconName) : "info");

export const Mark = ({ big }: { readonly big?: boolean }) => (
  <svg class={`mark ${big === true ? "big" : ""}`} viewBox="0 0 32 32" aria-hidden="true">
    <path
      d="M4 9.5A4.5 4.5 0 0 1 8.5 5h8A4.5 4.5 0 0 1 21 9.5v5a4.5 4.5 0 0 1-4.5 4.5H11l-5 4.5V18.7a4.5 4.5 0 0 1-2-3.7z"
      fill="var(--accent)"
    />
    <path
      d="M23.5 12.6A4.5 4.5 0 0 1 28 17v3.5a4.5 4.5 0 0 1-2 3.7V28l-4.5-3.5H17a4.5 4.5 0 0 1-4.3-3.2h4.8a6 6 0 0 0 6-6z"
      fill="var(--brass)"
    />
  </svg>
);
