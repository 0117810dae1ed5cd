// The call sheet by keyboard: digits choose the outcome, Ctrl+Enter saves. A half filled sheet is not lost by a slip.
(() => {
  "use strict";

  const start = () => {
    const form = document.querySelector("[data-sheet]");
    if (!form) return;
    let touched = false;
    form.addEventListener("input", () => { touched = true; });
    form.addEventListener("submit", () => { touched = false; });
    window.addEventListener("beforeunload", (event) => { if (touched) event.preventDefault(); });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        form.requestSubmit();
        return;
      }
      const typing = event.target.closest?.("input:not([type=radio]):not([type=checkbox]), textarea, select");
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      const choice = form.querySelector(`input[name="outcome"][data-digit="${CSS.escape(event.key)}"]`);
      if (!choice) return;
      choice.checked = true;
      choice.focus();
      form.dispatchEvent(new Event("input"));
    });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
