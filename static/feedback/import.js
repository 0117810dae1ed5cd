// The import pages: progress that moves by itself, and a file that is too large said before it travels.
(() => {
  "use strict";

  const EVERY = 1500;

  const follow = (box) => {
    const show = (data) => {
      document.querySelectorAll("[data-progress-label]").forEach((node) => (node.textContent = data.label));
      const bar = box.querySelector("progress");
      if (bar) bar.value = data.percent;
      const percent = box.querySelector("[data-progress-percent]");
      if (percent) percent.textContent = data.percent;
      const line = box.querySelector("[data-progress-line]");
      if (line) line.textContent = data.line;
      document.querySelectorAll("[data-figure]").forEach((node) => {
        if (data.figures[node.dataset.figure] !== undefined) node.textContent = data.figures[node.dataset.figure];
      });
    };
    const ask = async () => {
      // Nobody looks: ask again when the page is seen.
      if (document.hidden) return;
      try {
        const answer = await fetch(box.dataset.progress, { headers: { Accept: "application/json" } });
        if (!answer.ok || answer.redirected) return;
        const data = await answer.json();
        if (data.state !== box.dataset.state) {
          // Buttons and texts follow the state: draw the page anew.
          window.location.reload();
          return;
        }
        show(data);
      } catch {
        // The server is away for a moment; the next turn asks again.
      }
    };
    if (["checking", "queued", "running", "undoing"].includes(box.dataset.state)) setInterval(ask, EVERY);
  };

  const limit = (form) => {
    const input = form.querySelector('input[type="file"]');
    if (!input) return;
    input.addEventListener("change", () => {
      const file = input.files[0];
      const large = file && file.size > Number(form.dataset.maxMb) * 1024 * 1024;
      input.setCustomValidity(large ? form.dataset.tooLarge : "");
      if (large) input.reportValidity();
    });
    form.addEventListener("submit", (event) => {
      if (!input.checkValidity() && input.validity.customError) {
        event.preventDefault();
        input.reportValidity();
      }
    });
  };

  document.querySelectorAll("[data-progress]").forEach(follow);
  document.querySelectorAll("form[data-max-mb]").forEach(limit);
})();
