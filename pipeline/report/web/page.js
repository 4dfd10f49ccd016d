"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  document.documentElement.classList.add("script"); // the controls fold only where something unfolds them
  for (const element of all(".slider, .zoom, .fold")) element.hidden = false;

  // tables: a heading sorts by its column, the better end first; pressed again, the other way; what is missing stays last
  for (const table of all("table.scores")) {
    const body = table.tBodies[0];
    all("thead th[data-better]", table).forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      heading.replaceChildren(button);
      button.addEventListener("click", () => {
        const before = heading.getAttribute("aria-sort");
        const first = heading.dataset.better === "up" ? "descending" : "ascending";
        const order = before === null ? first : before === "ascending" ? "descending" : "ascending";
        for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", order);
        const value = (line) => line.cells[column].dataset.value;
        const sign = order === "ascending" ? 1 : -1;
        const words = heading.dataset.better === "";
        body.replaceChildren(...all("tr", body).sort((a, b) => {
          const [x, y] = [value(a), value(b)];
          if (x === "" || y === "") return (x === "") - (y === "");
          return sign * (words ? x.localeCompare(y, "en") : x - y);
        }));
      });
    });
  }

  // controls: folded in a group's tables until asked for
  for (const button of all(".fold")) {
    button.addEventListener("click", () => {
      const group = button.closest(".group");
      const shown = group.classList.toggle("controls");
      for (const other of all(".fold", group)) other.setAttribute("aria-pressed", shown);
    });
  }

  for (const button of all("[data-zoom]")) {
    button.addEventListener("click", () => {
      document.documentElement.style.setProperty("--zoom", button.dataset.zoom);
      for (const other of all("[data-zoom]")) {
        other.setAttribute("aria-pressed", other.dataset.zoom === button.dataset.zoom);
      }
    });
  }

  // the slider lays two of a scene's pictures over each other; it borrows them from the figures below it
  for (const slider of all(".slider")) {
    const scenes = all(".scene", slider.parentElement).filter((scene) => !scene.closest(".contacts"));
    const [which, left, right, range] = [".which", "select.left", "select.right", "input"].map((name) => slider.querySelector(name));
    const stack = slider.querySelector(".stack");
    const [under, over] = [new Image(), new Image()];
    const names = ["left", "right"].map((side) => {
      const name = document.createElement("span");
      name.className = `name ${side}`;
      return name;
    });
    over.className = "over";
    stack.append(under, over, ...names);
    under.draggable = over.draggable = false;
    const pictures = () => all("img", scenes[which.selectedIndex]);
    const offer = (select, wanted) => {
      select.replaceChildren(...pictures().map((image) => new Option(image.dataset.row)));
      const found = pictures().findIndex((image) => image.dataset.row === wanted);
      select.selectedIndex = Math.max(0, found);
    };
    const show = () => {
      const [a, b] = [pictures()[left.selectedIndex], pictures()[right.selectedIndex]];
      [over.src, over.alt, under.src, under.alt] = [a.src, a.alt, b.src, b.alt];
      names.forEach((name, i) => { name.textContent = [a, b][i].dataset.row; });
      slider.style.setProperty("--side", b.parentElement.style.getPropertyValue("--side"));
      slider.style.setProperty("--cut", `${range.value}%`);
      range.setAttribute("aria-valuetext", `left ${range.value} %: ${a.dataset.row}, right: ${b.dataset.row}`);
    };
    which.append(...scenes.map((scene) => new Option(scene.dataset.title)));
    offer(left, slider.dataset.left);
    offer(right, slider.dataset.right);
    which.addEventListener("change", () => {
      const kept = [left.value, right.value];
      offer(left, kept[0]);
      offer(right, kept[1]);
      show();
    });
    for (const control of [left, right]) control.addEventListener("change", show);
    range.addEventListener("input", show);
    const follow = (event) => { // the picture itself can be dragged too
      if (!event.buttons) return;
      const box = stack.getBoundingClientRect();
      range.value = 100 * (event.clientX - box.left) / box.width;
      show();
    };
    for (const name of ["pointerdown", "pointermove"]) stack.addEventListener(name, follow);
    show();
  }
})();
