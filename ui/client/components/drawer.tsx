/** What drawers share: a heading, a way to close, focus in and back. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useStore } from "./context.ts";
import { Icon } from "./icon.tsx";

interface DrawerFrameProps {
  readonly title: string;
  readonly id: string;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function DrawerFrame({ title, id, actions, children }: DrawerFrameProps) {
  const store = useStore();
  const element = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    element.current?.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <aside
      class="drawer"
      id={id}
      aria-labelledby={`${id}-title`}
      ref={element}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        store.dispatch({ kind: "drawer", drawer: "none" });
      }}
    >
      <header>
        <h2 class="grow" id={`${id}-title`}>
          {title}
        </h2>
        {actions}
        <button
          class="btn ghost sq"
          type="button"
          aria-label={store.t("action.close")}
          onClick={() => store.dispatch({ kind: "drawer", drawer: "none" })}
        >
          <Icon name="x" />
        </button>
      </header>
      {children}
    </aside>
  );
}
