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
        if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) {
          stop();
          location.reload();  // signed out, or not there any more: its page says so
          return;
        }
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
          stop();
          for (const form of document.querySelectorAll("[data-while-open]")) form.hidden = true;
          if (made.dataset.result) location.replace(made.dataset.result);
        }
      } catch (error) {
        if (!lost) tell("The connection is lost. The question goes on; this page looks for the service again.");
        lost = true;
      }
      busy = false;
      if (again) { again = false; soon(); }
    }
    function stop() {
      stream.close();
      clearInterval(poll);
      clearTimeout(timer);
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

  // A part that is loaded after its page asks again, where nobody answered.
  function unanswered(event) {
    const part = event.detail.elt, code = event.detail.xhr ? event.detail.xhr.status : 0;
    if (!part.hasAttribute("hx-get") || !part.isConnected) return;
    let status = part.querySelector(".status");
    if (!status) {
      status = document.createElement("p");
      status.className = "status";
      status.setAttribute("role", "status");
      part.append(status);
    }
    if (code >= 400 && code < 500 && code !== 429) {
      for (const bar of part.querySelectorAll("progress")) bar.remove();
      status.textContent = "This cannot be shown. Load the page again.";
      return;
    }
    status.textContent = "The service does not answer. It is asked again.";
    setTimeout(() => {
      if (part.isConnected) htmx.ajax("GET", part.getAttribute("hx-get"), { source: part });
    }, 2500);
  }
  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(name, unanswered);
  }

  // A form that is sent only where somebody answers: the page stays, and says so, where nobody does.
  function held(form) {
    const status = form.querySelector(".status"), button = form.querySelector("[type=submit]");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      status.textContent = "";
      button.disabled = true;
      try {
        const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" });
        if (answer.status >= 500) throw new Error(String(answer.status));
        if (answer.status >= 400) form.submit();  // refused: the page of the answer says why
        else location.reload();
      } catch (error) {
        status.textContent = form.dataset.held;
      }
      button.disabled = false;
    });
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
    for (const form of root.querySelectorAll("[data-held]")) if (!form.dataset.begun) { form.dataset.begun = "yes"; held(form); }
    for (const input of root.querySelectorAll("[data-filter]")) if (!input.dataset.begun) { input.dataset.begun = "yes"; filtering(input); }
    const errors = root.querySelector("#errors");
    if (errors) errors.focus();
  }
  document.addEventListener("DOMContentLoaded", () => begin(document));
  document.addEventListener("htmx:load", (event) => begin(event.detail.elt.parentElement || document));
})();
