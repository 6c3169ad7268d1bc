// What pages do besides plots: dropped files, live jobs, filters.
(function () {
  "use strict";

  function dropping(form) {
    const input = form.querySelector("input[type=file]");
    for (const name of ["dragenter", "dragover"]) {
      form.addEventListener(name, (event) => { event.preventDefault(); form.classList.add("over"); });
    }
    for (const name of ["dragleave", "drop"]) {
      form.addEventListener(name, () => form.classList.remove("over"));
    }
    form.addEventListener("drop", (event) => {
      event.preventDefault();
      if (!event.dataTransfer.files.length) return;
      input.files = event.dataTransfer.files;
      form.requestSubmit();
    });
  }

  // Events say that something happened; the panel, made by the server, says what.
  function live(panel) {
    const address = panel.dataset.panel;
    let busy = false, again = false, last = 0, timer = 0, lost = false;

    async function refresh() {
      if (busy) { again = true; return; }
      busy = true;
      last = Date.now();
      try {
        const answer = await fetch(address, { headers: { "HX-Request": "true" } });
        if (!answer.ok) throw new Error(String(answer.status));
        if (lost) panel.dataset.shown = "";
        lost = false;
        const text = await answer.text();
        if (text !== panel.dataset.shown) {
          panel.dataset.shown = text;
          panel.innerHTML = text;
        }
        const made = panel.querySelector(".panel");
        if (made && made.dataset.final === "yes") {
          stream.close();
          clearInterval(poll);
          if (made.dataset.result) location.replace(made.dataset.result);
        }
      } catch (error) {
        if (!lost) tell("The connection is lost. The question goes on; this page looks for the service again.");
        lost = true;
      }
      busy = false;
      if (again) { again = false; soon(); }
    }
    function tell(words) {
      const status = panel.querySelector(".status");
      if (status) status.textContent = words;
    }
    function soon() {
      clearTimeout(timer);
      timer = setTimeout(refresh, Math.max(0, 250 - (Date.now() - last)));
    }
    const stream = new EventSource(panel.dataset.events);
    for (const kind of ["state", "progress", "blocks", "message"]) stream.addEventListener(kind, soon);
    const poll = setInterval(soon, 2500);
    addEventListener("pagehide", () => stream.close());
  }

  function filtering(input) {
    const table = document.getElementById(input.dataset.filter);
    input.addEventListener("input", () => {
      const asked = input.value.trim().toLowerCase();
      for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(asked);
    });
  }

  function begin(root) {
    for (const form of root.querySelectorAll("[data-drop]")) if (!form.dataset.begun) { form.dataset.begun = "yes"; dropping(form); }
    for (const panel of root.querySelectorAll("[data-panel]")) if (panel.dataset.events && !panel.dataset.begun) { panel.dataset.begun = "yes"; live(panel); }
    for (const input of root.querySelectorAll("[data-filter]")) if (!input.dataset.begun) { input.dataset.begun = "yes"; filtering(input); }
    const errors = root.querySelector("#errors");
    if (errors) errors.focus();
  }
  document.addEventListener("DOMContentLoaded", () => begin(document));
  document.addEventListener("htmx:load", (event) => begin(event.detail.elt.parentElement || document));
})();
