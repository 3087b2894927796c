/** Short news at the top of the stage: one at a time, the others wait (look page, 6). */
import { useStore } from "./context.ts";
import { Icon, iconName } from "./icon.tsx";

export function ToastStack() {
  const store = useStore();
  const toast = store.state.toasts[0];
  if (toast === undefined) return null;
  const { action } = toast;
  return (
    <div class="toast" key={toast.key}>
      <Icon name={iconName(toast.icon)} />
      <span>{store.tell(toast.text)}</span>
      {action === undefined ? null : (
        <button
          class="btn small"
          type="button"
          onClick={() => {
            store.dispatch({ kind: "close-toast", key: toast.key });
            store.dispatch(action.event);
          }}
        >
          {store.tell(action.label)}
        </button>
      )}
      <button
        class="btn small sq"
        type="button"
        aria-label={store.t("action.close")}
        onClick={() => store.dispatch({ kind: "close-toast", key: toast.key })}
      >
        <Icon name="x" size="s" />
      </button>
    </div>
  );
}
