/**
 * Shell: a button that acts after being held for two seconds; by keyboard it asks for a second press (look page, 6).
 */
import { useEffect, useRef, useState } from "preact/hooks";

interface HoldButtonProps {
  readonly label: string;
  readonly hint: string;
  readonly onHeld: () => void;
}

const HOLD_MS = 2000;

export function HoldButton({ label, hint, onHeld }: HoldButtonProps) {
  const [holding, setHolding] = useState(false);
  const [asked, setAsked] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const release = (): void => {
    clearTimeout(timer.current);
    setHolding(false);
  };
  return (
    <button
      class={`btn redline hold ${holding ? "holding" : ""}`}
      type="button"
      aria-describedby="hold-hint"
      onPointerDown={() => {
        setHolding(true);
        setAsked(true);
        timer.current = setTimeout(onHeld, HOLD_MS);
      }}
      onPointerUp={release}
      onPointerLeave={release}
      onPointerCancel={release}
      onKeyDown={(event) => {
        if (event.key !== "Enter" || event.repeat) return;
        event.preventDefault();
        if (asked) onHeld();
        else setAsked(true);
      }}
    >
      <span>{label}</span>
      <span class="hint" id="hold-hint" aria-live="polite">
        {asked ? hint : ""}
      </span>
    </button>
  );
}
