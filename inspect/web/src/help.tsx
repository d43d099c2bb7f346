/** The keys that do something. */

import { useEffect, useRef } from "preact/hooks";

const KEYS = [
  ["/", "to the filter"],
  ["Enter", "apply the filter; open a trajectory"],
  ["← → ↑ ↓", "in the scatter: from point to point"],
  ["Esc", "close a trajectory or a menu"],
  ["?", "this list"],
];

export function Help({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog class="help" ref={dialog} onClose={onClose} aria-labelledby="help-title">
      <div class="inside">
        <h2 id="help-title">Keyboard</h2>
        <dl>
          {KEYS.map(([key, what]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
        <p class="note">Filters are part of the address: keep it, share it, and Back takes a step back.</p>
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
    </dialog>
  );
}
