/** What dialogs share: the native dialog with a heading, the button that closes it, the row with a switch. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useStore } from "./context.ts";

interface FrameProps {
  readonly title: string;
  readonly onClose?: () => void;
  readonly children: ComponentChildren;
}

export function Frame({ title, onClose, children }: FrameProps) {
  const store = useStore();
  const element = useRef<HTMLDialogElement>(null);
  const close = onClose ?? (() => store.dispatch({ kind: "dialog", dialog: undefined }));
  useEffect(() => {
    const before = document.activeElement;
    const dialog = element.current;
    if (dialog !== null && !dialog.open) dialog.showModal();
    dialog?.querySelector<HTMLElement>("[data-first]")?.focus({ preventScroll: true });
    dialog?.scrollTo(0, 0);
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      aria-labelledby="dialog-title"
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <h2 id="dialog-title">{title}</h2>
      {children}
    </dialog>
  );
}

export function Done({ label }: { readonly label: string }) {
  const store = useStore();
  return (
    <div class="answers">
      <button
        class="btn primary"
        type="button"
        data-first
        onClick={() => store.dispatch({ kind: "dialog", dialog: undefined })}
      >
        {label}
      </button>
    </div>
  );
}

interface SwitchProps {
  readonly label: string;
  readonly hint?: string;
  readonly checked: boolean;
  readonly disabled?: boolean;
  readonly onChange: (on: boolean) => void;
}

export function Switch({ label, hint, checked, disabled, onChange }: SwitchProps) {
  return (
    <label class="opt">
      <span class="grow">
        <span class="strong">{label}</span>
        {hint === undefined ? null : <span class="hint block">{hint}</span>}
      </span>
      <input
        class="toggle"
        type="checkbox"
        role="switch"
        aria-checked={checked}
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
    </label>
  );
}
