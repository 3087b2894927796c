/** A menu on a native popover: opened by its button, closed by Escape or a tap beside it; a sheet at the bottom on phones. */
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon, type IconName } from "./icon.tsx";

interface MenuProps {
  readonly label: string;
  readonly button: ComponentChildren;
  readonly class: string;
  readonly children: ComponentChildren;
}

export function Menu({ label, button, class: className, children }: MenuProps) {
  const id = `menu${useId().replaceAll(/[^A-Za-z0-9]/g, "")}`;
  const opener = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  useLayoutEffect(() => {
    const popover = panel.current;
    if (popover === null) return;
    // What is in the menu is made when it opens: a list of people has many menus.
    const opening = (event: Event): void => {
      if ((event as ToggleEvent).newState === "open") setOpen(true);
    };
    const placed = (event: Event): void => {
      const open = (event as ToggleEvent).newState === "open";
      setOpen(open);
      opener.current?.setAttribute("aria-expanded", String(open));
      if (open) {
        place(popover, opener.current);
        popover.querySelector<HTMLElement>("button, select, input")?.focus();
      }
    };
    popover.addEventListener("beforetoggle", opening);
    popover.addEventListener("toggle", placed);
    return () => {
      popover.removeEventListener("beforetoggle", opening);
      popover.removeEventListener("toggle", placed);
    };
  }, []);
  return (
    <>
      <button
        class={className}
        type="button"
        ref={opener}
        popovertarget={id}
        aria-haspopup="true"
        aria-expanded="false"
        aria-label={label}
        title={label}
      >
        {button}
      </button>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be a popover with this look */}
      <div class="menu" id={id} popover="auto" ref={panel} aria-label={label} role="group">
        {open ? children : null}
      </div>
    </>
  );
}

/** Above the opener, inside the window; on small windows the style sheet makes it a sheet. */
function place(popover: HTMLElement, opener: HTMLElement | null): void {
  if (opener === null) return;
  const from = opener.getBoundingClientRect();
  const own = popover.getBoundingClientRect();
  const left = Math.min(Math.max(8, from.left + from.width / 2 - own.width / 2), innerWidth - own.width - 8);
  const above = from.top - own.height - 8;
  const top = above >= 8 ? above : Math.min(from.bottom + 8, innerHeight - own.height - 8);
  popover.style.setProperty("--x", `${left}px`);
  popover.style.setProperty("--y", `${Math.max(8, top)}px`);
}

interface MenuItemProps {
  readonly icon: IconName;
  readonly badge?: number;
  readonly checked?: boolean;
  readonly phoneOnly?: boolean;
  readonly compactOnly?: boolean;
  readonly wideOnly?: boolean;
  readonly danger?: boolean;
  readonly onSelect: () => void;
  readonly children: ComponentChildren;
}

export function MenuItem({
  icon,
  badge,
  checked,
  phoneOnly,
  compactOnly,
  wideOnly,
  danger,
  onSelect,
  children,
}: MenuItemProps) {
  return (
    <button
      class={`menu-item ${phoneOnly === true ? "phone-only" : ""} ${compactOnly === true ? "compact-only" : ""} ${wideOnly === true ? "wide" : ""} ${danger === true ? "danger" : ""}`}
      type="button"
      aria-pressed={checked}
      onClick={(event) => {
        event.currentTarget.closest<HTMLElement>("[popover]")?.hidePopover();
        onSelect();
      }}
    >
      <Icon name={icon} />
      <span class="grow">{children}</span>
      {badge === undefined || badge === 0 ? null : <span class="chip brassfill">{badge}</span>}
      {checked === true ? <Icon name="check" size="s" /> : null}
    </button>
  );
}
