"use strict";
(() => {
  const get = (id) => document.getElementById(id);
  const [row, strength, go, cut, view, pane, stack] = ["row", "strength", "go", "cut", "view", "pane", "stack"].map(get);
  let photo = null; // the file that was dropped
  let done = null; // what the picture shows: {row, width, height}, the latter in pixels of the result
  let running = null; // the AbortController of the restoration that is waited for

  const say = (text) => { get("state").textContent = text; };
  const complain = (text) => { get("error").textContent = text; get("error").hidden = !text; };
  const point = (element, key, blob) => { // at a file in memory; what it pointed at is given back
    if (element[key].startsWith("blob:")) URL.revokeObjectURL(element[key]);
    element[key] = URL.createObjectURL(blob);
  };
  const inWords = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`);

  async function post(path, values, body, signal) {
    let answer;
    try {
      answer = await fetch(`${path}?${new URLSearchParams(values)}`, { method: "POST", body, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("No answer. Does `python -m pipeline app` still run, and is the photo still where it was?");
    }
    if (!answer.ok) throw new Error(await answer.text());
    return answer;
  }

  // show a file in an image; what the browser cannot show, such as TIFF, the server draws as PNG
  async function draw(image, blob, what) {
    point(image, "src", blob);
    try {
      await image.decode();
    } catch {
      point(image, "src", await (await post("shown", { what }, blob)).blob());
      await image.decode();
    }
    image.hidden = false;
  }

  function take(files) {
    if (!files.length) return;
    if (running) running.abort();
    [photo, done] = [files[0], null];
    get("result").hidden = true;
    complain("");
    say(files.length > 1 ? `One photo at a time: this is the first of ${files.length}. python -m pipeline restore takes folders.` : "");
    get("photo-name").textContent = photo.name;
    get("photo-about").textContent = `${inWords(photo.size)}. Drop or choose another to replace it.`;
    go.disabled = !row.value;
    const thumbnail = get("thumbnail");
    thumbnail.hidden = true;
    const mine = photo;
    draw(thumbnail, photo, "photo").catch(() => { // what is wrong with it, Restore says
      if (photo === mine) thumbnail.hidden = true;
    });
  }

  // ask every half second how far the restoration is; returns what ends the asking
  function watch(job) {
    const began = Date.now();
    get("progress").removeAttribute("value");
    get("progress").hidden = false;
    const timer = setInterval(async () => {
      const answer = await fetch(`progress?${new URLSearchParams({ job })}`).then((found) => found.json()).catch(() => ({}));
      if (!running || running.job !== job || typeof answer.share !== "number") return;
      const left = Math.ceil((Date.now() - began) / 1000 * (1 / answer.share - 1));
      get("progress").value = answer.share;
      if (answer.share >= 0.999) say("Writing the file");
      else say(answer.share ? `Restoring: ${Math.round(100 * answer.share)} %, about ${left} s left` : "Restoring");
    }, 500);
    return () => clearInterval(timer);
  }

  async function restore() {
    if (running) running.abort();
    const mine = running = new AbortController();
    mine.job = String(Math.random());
    const asked = { row: row.value, strength: strength.value, name: photo.name, job: mine.job };
    const stop = watch(mine.job);
    go.textContent = "Stop";
    complain("");
    say("Loading the network and the photo");
    try {
      const answer = await post("restore", asked, photo, mine.signal);
      const about = JSON.parse(answer.headers.get("X-Restage"));
      const result = await answer.blob();
      if (mine.signal.aborted) return;
      await show(asked, about, result);
      say("");
    } catch (error) {
      if (mine !== running) return; // another one has begun
      say(error.name === "AbortError" ? "Stopped" : "");
      complain(error.name === "AbortError" ? "" : `${photo.name}: ${error.message}`);
    } finally {
      stop();
      if (mine === running) {
        running = null;
        go.textContent = "Restore";
        get("progress").hidden = true;
      }
    }
  }

  async function show(asked, about, result) {
    const [before, after, link] = ["before", "after", "download"].map(get);
    point(link, "href", result);
    link.download = `${photo.name.replace(/\.[^.]*$/, "")}-restored${about.suffix}`;
    link.textContent = `Download (${inWords(result.size)})`;
    get("notes").replaceChildren(...about.notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
    get("after-name").textContent = `${asked.row}, strength ${asked.strength}`;
    get("result").hidden = false;
    try {
      const first = !done;
      if (first) await draw(before, photo, "photo");
      await draw(after, result, "restored");
      view.hidden = false;
      done = { row: asked.row, width: after.naturalWidth, height: after.naturalHeight };
      get("sizes").textContent = `${before.naturalWidth}×${before.naturalHeight} → ${done.width}×${done.height} pixels`;
      place();
      if (first) get("result").scrollIntoView({ block: "nearest" });
    } catch {
      view.hidden = true;
      done = { row: asked.row };
      get("sizes").textContent = "The browser cannot show this picture. The download has it.";
    }
  }

  // where the picture and the cut stand. Fit: as large as the pane; 1:1: a pixel of the result is one of the screen
  function place() {
    if (!done || !done.width) return;
    const pixels = view.classList.contains("pixels");
    const full = done.width / devicePixelRatio;
    const high = 0.78 * innerHeight * done.width / done.height;
    stack.style.setProperty("--width", `${pixels ? full : Math.min(full, view.clientWidth, high)}px`);
    move();
  }

  function move() {
    const seen = Math.min(stack.offsetWidth, pane.clientWidth);
    const beside = (pane.clientWidth - seen) / 2; // the picture, where it is narrower than the pane
    const x = seen * cut.value / 100;
    stack.style.setProperty("--cut", `${pane.scrollLeft + x}px`);
    const [right, bottom] = [pane.offsetWidth - seen - beside, pane.offsetHeight - pane.clientHeight]; // with bars for scrolling
    const places = { line: beside + x, left: beside, right, bottom };
    for (const [name, value] of Object.entries(places)) view.style.setProperty(`--${name}`, `${value}px`);
    cut.setAttribute("aria-valuetext", `left ${Math.round(cut.value)} %: before, right: after`);
  }

  function follow(event) { // the cut goes where the pointer is
    if (!event.buttons) return;
    const left = Math.max(stack.getBoundingClientRect().left, pane.getBoundingClientRect().left);
    cut.value = 100 * (event.clientX - left) / Math.min(stack.offsetWidth, pane.clientWidth);
    move();
  }

  function drag(event) { // in the picture: the cut where all is seen, else the picture itself
    if (!view.classList.contains("pixels")) follow(event);
    else if (event.buttons && event.pointerType === "mouse") pane.scrollBy(-event.movementX, -event.movementY);
  }

  for (const name of ["pointerdown", "pointermove"]) {
    stack.addEventListener(name, drag);
    get("handle").addEventListener(name, follow);
  }
  get("handle").addEventListener("pointerdown", (event) => event.target.setPointerCapture(event.pointerId));
  cut.addEventListener("input", move);
  pane.addEventListener("scroll", move);
  addEventListener("resize", place);
  for (const button of document.querySelectorAll("[data-size]")) {
    button.addEventListener("click", () => {
      for (const other of document.querySelectorAll("[data-size]")) other.setAttribute("aria-pressed", other === button);
      view.classList.toggle("pixels", button.dataset.size === "pixels");
      place();
      pane.scrollTo((pane.scrollWidth - pane.clientWidth) / 2, (pane.scrollHeight - pane.clientHeight) / 2);
    });
  }

  strength.addEventListener("input", () => { get("strength-text").value = strength.value; });
  strength.addEventListener("change", () => { if (done && done.row === row.value) restore(); }); // what the network made is kept
  get("form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (running) running.abort();
    else if (photo) restore();
  });
  get("file").addEventListener("change", (event) => take(event.target.files));
  for (const name of ["dragover", "dragleave", "drop"]) {
    addEventListener(name, (event) => {
      event.preventDefault();
      get("drop").classList.toggle("over", name === "dragover");
      if (name === "drop") take(event.dataTransfer.files);
    });
  }

  fetch("rows").then((answer) => answer.json()).then(({ rows, reads }) => {
    for (const label of new Set(rows.map((each) => each.group))) {
      const group = Object.assign(document.createElement("optgroup"), { label });
      group.append(...rows.filter((each) => each.group === label).map(({ name, scale }) =>
        new Option(name + (scale > 1 ? `, ${scale}× larger` : ""), name)));
      row.append(group);
    }
    get("file").accept = ["image/*", ...reads].join();
    go.disabled = !photo;
  }).catch(() => complain("No answer. Does `python -m pipeline app` still run?"));
})();
