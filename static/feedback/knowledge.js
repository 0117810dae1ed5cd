// Knowledge base: copy an answer, remember that it was used, mark the row of the threshold.
"use strict";
(() => {
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const box = document.createElement("textarea");
      box.value = text;
      document.body.append(box);
      box.select();
      const done = document.execCommand("copy");
      box.remove();
      return done;
    }
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-knowledge] [data-copy]");
    if (!button) return;
    if (await copy(button.dataset.copy)) {
      const words = button.textContent;
      button.textContent = button.dataset.done;
      setTimeout(() => { button.textContent = words; }, 2000);
    }
  });
  // "Use" copies first, then the form notes the use; a composer on the page takes the text instead of the clipboard.
  document.addEventListener("submit", (event) => {
    const button = event.target.matches("[data-use]") && event.target.querySelector("[data-text]");
    if (button) {
      const used = new CustomEvent("knowledge:use", { bubbles: true, cancelable: true, detail: button.dataset.text });
      if (event.target.dispatchEvent(used)) copy(button.dataset.text);
    }
  });
  const slider = document.querySelector("[data-threshold]");
  if (slider) {
    const shown = document.createElement("output");
    shown.className = "fc-quiet";
    slider.after(shown);
    const draw = () => {
      shown.textContent = `${slider.value} %`;
      const rows = [...document.querySelectorAll("[data-step]")];
      const near = rows.reduce((best, row) => !best || Math.abs(row.dataset.step - slider.value) < Math.abs(best.dataset.step - slider.value) ? row : best, null);
      rows.forEach((row) => row.classList.toggle("is-on", row === near));
    };
    slider.addEventListener("input", draw);
    draw();
  }
})();
