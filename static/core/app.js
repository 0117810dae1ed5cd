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

  // Open pages stay true: counters, how many are new, and an alarm for urgent cases nobody has answered.
  const memory = {
    get: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
    set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* private mode */ } },
  };
  const live = () => {
    const head = document.querySelector("[data-pulse]");
    if (!head) return;
    const queue = document.querySelector("[data-queue]");
    const title = document.title;
    const button = head.querySelector("[data-sound]");
    const icon = head.querySelector("[data-sound-icon]");
    const showSound = () => {
      const on = memory.get("fc-sound") === "on";
      button.setAttribute("aria-pressed", String(on));
      icon.textContent = on ? "volume_up" : "volume_off";
    };
    let audio = null;
    const beep = () => {
      if (memory.get("fc-sound") !== "on") return;
      try {
        audio = audio || new AudioContext();
        [0, 0.22].forEach((at) => {
          const tone = audio.createOscillator(), gain = audio.createGain();
          tone.frequency.value = 880;
          gain.gain.setValueAtTime(0.15, audio.currentTime + at);
          gain.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + at + 0.18);
          tone.connect(gain).connect(audio.destination);
          tone.start(audio.currentTime + at);
          tone.stop(audio.currentTime + at + 0.2);
        });
      } catch { /* no sound here: the title and the text still tell */ }
    };
    button.addEventListener("click", () => {
      memory.set("fc-sound", memory.get("fc-sound") === "on" ? "off" : "on");
      showSound();
      beep();
    });
    showSound();

    const beat = async () => {
      const query = new URLSearchParams(queue ? queue.dataset.query : "");
      if (queue) query.set("since", queue.dataset.since);
      let data;
      try {
        const answer = await fetch(`${head.dataset.pulse}?${query}`, { headers: { Accept: "application/json" } });
        if (answer.redirected || answer.status === 403) return false;
        if (!answer.ok) return true;
        data = await answer.json();
      } catch { return true; }
      document.title = data.alarms.length ? `(${data.alarms.length}) ${title}` : title;
      let known = null;
      try { known = JSON.parse(memory.get("fc-alarms") || "null"); } catch { /* spoilt: begin anew */ }
      if (!Array.isArray(known)) known = null;
      const fresh = data.alarms.filter((alarm) => known && !known.includes(alarm.id));
      memory.set("fc-alarms", JSON.stringify(data.alarms.map((alarm) => alarm.id)));
      if (fresh.length) {
        head.querySelector("[data-alarm-text]").textContent =
          `${head.dataset.alarm} ${fresh.map((alarm) => alarm.number).join(", ")}`;
        beep();
      }
      if (queue) {
        Object.entries(data.counts).forEach(([code, count]) => {
          const node = queue.querySelector(`[data-count="${code}"]`);
          if (node) node.textContent = count;
        });
        const bar = queue.querySelector("[data-new]");
        bar.hidden = data.new === 0;
        bar.textContent = data.text;
      }
      return true;
    };
    const every = () => (document.hidden ? 60000 : Number(head.dataset.every || 15000));
    const loop = async () => {
      if (await beat()) setTimeout(loop, every());
    };
    setTimeout(loop, Number(head.dataset.first || 2000));
  };

  // Whoever came to fill something in can type at once: the first wrong field, else the first. Not on touch
  // screens, where the keyboard would cover half of what there is to read.
  const focusFirst = () => {
    const place = document.querySelector(".fc-form, [data-focus-first] form, #login-form");
    const busy = document.activeElement && document.activeElement !== document.body;
    if (!place || busy || location.hash || !matchMedia("(pointer: fine)").matches) return;
    const fields = [...place.querySelectorAll("input, textarea, select")].filter(
      (field) => field.type !== "hidden" && !field.disabled && !field.readOnly && field.getClientRects().length,
    );
    const wrong = fields.find((field) => field.closest(".has-error") || field.getAttribute("aria-invalid") === "true");
    (wrong || fields[0])?.focus();
  };

  // The theme looks for the text box of its own file field beside every file input and stumbles where there is none.
  const ownFiles = () => {
    document.querySelectorAll('input[type="file"].fc-input').forEach((input) => { input.hasChangeListener = true; });
  };

  // The link past the menu moves the keyboard's place too.
  const skip = () => {
    document.querySelector(".fc-skip")?.addEventListener("click", () => {
      const content = document.getElementById("content");
      content?.setAttribute("tabindex", "-1");
      content?.focus();
    });
  };

  onReady(() => {
    ownFiles();
    skip();
    focusFirst();
    live();
    autoSubmit();
    bulk();
    tick();
    setInterval(tick, 30000);
  });
})();
