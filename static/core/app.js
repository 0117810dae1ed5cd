// Small helpers of the workplace: filters that apply at once, bulk bar, countdowns that tick.
(() => {
  "use strict";

  const onReady = (act) =>
    document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", act) : act();

  // A chosen filter applies without a second click; without JavaScript the "Show" button does it.
  const autoSubmit = () => {
    document.querySelectorAll("[data-submit]").forEach((select) => {
      select.addEventListener("change", () => select.form.requestSubmit());
    });
  };

  // The bulk bar shows itself once a row is chosen.
  const bulk = () => {
    const bar = document.querySelector("[data-bulk]");
    const form = document.getElementById("fc-bulk-form");
    if (!bar || !form) return;
    const count = bar.querySelector("[data-bulk-count]");
    const refresh = () => {
      const chosen = form.querySelectorAll('input[name="id"]:checked').length;
      count.textContent = chosen;
      bar.hidden = chosen === 0;
    };
    form.addEventListener("change", refresh);
    refresh();
  };

  // Countdowns: the server writes the words, the script keeps them true.
  const words = (seconds, zh) => {
    const minutes = Math.floor(Math.abs(seconds) / 60);
    const d = Math.floor(minutes / 1440), h = Math.floor((minutes % 1440) / 60), m = minutes % 60;
    const text = zh
      ? (d ? `${d} 天 ${h} 小时` : h ? `${h} 小时 ${m} 分` : `${m} 分`)
      : (d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : `${m} min`);
    if (zh) return seconds < 0 ? `超时 ${text}` : `剩 ${text}`;
    return seconds < 0 ? `${text} overdue` : `${text} left`;
  };
  const tick = () => {
    const zh = (document.documentElement.lang || "").startsWith("zh");
    const now = Date.now() / 1000;
    document.querySelectorAll("[data-due]").forEach((node) => {
      const left = Number(node.dataset.due) - now;
      node.textContent = words(left, zh);
      if (left < 0) {
        node.classList.remove("is-green", "is-amber");
        node.classList.add("is-red");
      }
    });
  };

  onReady(() => {
    autoSubmit();
    bulk();
    tick();
    setInterval(tick, 30000);
  });
})();
