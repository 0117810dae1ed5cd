// Comfort only: every public page works without this file.
(() => {
  "use strict";
  // "12 / 2000" under a text box.
  document.querySelectorAll("[data-count]").forEach((node) => {
    const box = document.getElementById(node.dataset.count);
    if (!box || box.maxLength < 0) return;
    const show = () => { node.textContent = `${box.value.length} / ${box.maxLength}`; };
    box.addEventListener("input", show);
    if (box.value) show();
  });
  document.querySelectorAll("[data-print]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  });
  // A second tap while the first is on its way is harmless, but needless.
  document.querySelectorAll("form").forEach((form) => {
    form.addEventListener("submit", () => {
      form.querySelectorAll("button[type=submit]").forEach((button) => { button.setAttribute("aria-busy", "true"); });
    });
  });
})();
