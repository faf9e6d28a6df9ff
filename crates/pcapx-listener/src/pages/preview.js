"use strict";
// What "Check" would say, while somebody types: asks for the same page, and shows what it tells. Without this, "Check" does it.
(() => {
  const PAUSE_MS = 250;
  const form = document.querySelector("form.ask");
  const told = document.getElementById("told");
  let timer = 0;
  let isAsking = false;
  let next = null;

  const fieldsOf = (page, name) => page.querySelector(`form.ask [name="${name}"]`);

  // The query of "Check" as the fields are now.
  const asTyped = () => new URLSearchParams(new FormData(form));

  const show = (page, takes) => {
    const answer = page.getElementById("told");
    if (!answer) throw new Error("this is another page");
    // It is told as it changes; nothing of it is an alarm.
    for (const note of answer.querySelectorAll("[role]")) note.removeAttribute("role");
    told.replaceChildren(...answer.childNodes);
    for (const name of ["filter", "from", "to"]) {
      const [mine, its] = [fieldsOf(document, name), fieldsOf(page, name)];
      for (const mark of ["aria-invalid", "aria-describedby"]) {
        if (its.hasAttribute(mark)) mine.setAttribute(mark, its.getAttribute(mark));
        else mine.removeAttribute(mark);
      }
      if (takes.includes(name)) mine.value = its.value;
    }
  };

  // One request at a time; of those that are wanted meanwhile the last one counts.
  const ask = async (query, takes) => {
    if (isAsking) {
      next = [query, takes];
      return;
    }
    isAsking = true;
    try {
      const options = { headers: { Accept: "text/html" }, cache: "no-store" };
      const answer = await fetch(`./?${query}`, options);
      show(new DOMParser().parseFromString(await answer.text(), "text/html"), takes);
    } catch {
      told.textContent = "There is no preview just now. “Check” asks again.";
    }
    isAsking = false;
    if (next) {
      const [query, takes] = next;
      next = null;
      ask(query, takes);
    }
  };

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      // What nobody has begun to write is no slip yet.
      if (fieldsOf(document, "filter").value.trim()) ask(asTyped(), []);
      else told.replaceChildren();
    }, PAUSE_MS);
  });

  // The quick choices are links, which would forget what has been typed.
  form.addEventListener("click", (event) => {
    const link = event.target.closest("a[href*='last=']");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    clearTimeout(timer);
    const query = asTyped();
    if (!query.get("filter").trim()) query.delete("filter");
    query.delete("from");
    query.delete("to");
    query.set("last", new URL(link.href).searchParams.get("last"));
    ask(query, ["from", "to"]);
  });
})();
